// Package embedded is the in-process server behind embedded://name: a miniredis per name, shared by
// everything in the process that asks for that name, and living until the process ends. It serves
// the quickstart and tests of users' own pipelines.
//
// It holds everything in memory, listens on loopback only (127.0.0.1, a random port) and knows no
// passwords. Time is real: TIME answers the wall clock, inside scripts as well, and keys expire by
// themselves.
//
// What it lacks compared with a Redis server, as of miniredis 2.40:
//   - XGROUP SETID, so no mirror of committed offsets in the native consumer group;
//   - XINFO STREAM answers length and last-generated-id alone: no entries-added,
//     max-deleted-entry-id, first-entry or last-entry, so the number of lost entries is not exact;
//   - CLIENT knows SETNAME and GETNAME only; HELLO 3 is answered (RESP3), and reports a Redis 8.4;
//   - CONFIG, ACL, DEBUG, persistence, memory limits and eviction.
package embedded

import (
	"fmt"
	"sync"

	"github.com/alicebob/miniredis/v2"
)

// servers are those of this process, by name. Nothing is ever removed: a server lives as long as
// the process.
var servers = struct {
	sync.Mutex
	byName map[string]*miniredis.Miniredis
}{byName: map[string]*miniredis.Miniredis{}}

// Open returns the address ("127.0.0.1:port") of the server of that name and starts it if this is
// the first time that the process asks for it. Every call with one name returns the same address.
// It may be called concurrently.
func Open(name string) (string, error) {
	servers.Lock()
	defer servers.Unlock()
	if server, ok := servers.byName[name]; ok {
		return server.Addr(), nil
	}
	server := miniredis.NewMiniRedis()
	// Without it miniredis keeps keys until somebody calls FastForward. With it, a key that has
	// outlived its time is gone for whoever looks, so no goroutine has to drive the clock.
	server.ClockTTL(true)
	if err := server.StartAddr("127.0.0.1:0"); err != nil {
		return "", fmt.Errorf("starting the embedded server %q: %w", name, err)
	}
	servers.byName[name] = server
	return server.Addr(), nil
}
