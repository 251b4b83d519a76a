// Package embedded is the in-process server behind embedded://name: one miniredis per name, shared
// by the whole process, which lives until the process ends. It serves the quickstart and tests of
// users' own pipelines.
//
// It keeps everything in memory, listens only on loopback (127.0.0.1, a random port) and has no
// passwords. Time is real: TIME returns the wall clock, also inside scripts, and keys expire
// automatically.
//
// What it lacks compared with a Redis server, as of miniredis 2.40:
//   - XGROUP SETID, so committed offsets are not mirrored in the native consumer group;
//   - XINFO STREAM returns only length and last-generated-id: no entries-added,
//     max-deleted-entry-id, first-entry or last-entry, so the number of lost entries is not exact;
//   - XINFO GROUPS returns a wrong lag;
//   - CLIENT supports only SETNAME and GETNAME; HELLO 3 is answered (RESP3), and reports Redis 8.4;
//   - CONFIG, ACL, DEBUG, persistence, memory limits and eviction.
package embedded

import (
	"fmt"
	"sync"

	"github.com/alicebob/miniredis/v2"
)

// servers holds the servers of this process, by name. No server is ever removed.
var servers = struct {
	sync.Mutex
	byName map[string]*miniredis.Miniredis
}{byName: map[string]*miniredis.Miniredis{}}

// Open returns the address ("127.0.0.1:port") of the server with that name. The first call for a
// name starts the server; later calls return the same address. It is safe for concurrent use.
func Open(name string) (string, error) {
	servers.Lock()
	defer servers.Unlock()
	if server, ok := servers.byName[name]; ok {
		return server.Addr(), nil
	}
	server := miniredis.NewMiniRedis()
	// Without it, miniredis keeps keys until FastForward is called. With it, an expired key is
	// missing for every reader, so no goroutine has to drive the clock.
	server.ClockTTL(true)
	if err := server.StartAddr("127.0.0.1:0"); err != nil {
		return "", fmt.Errorf("starting the embedded server %q: %w", name, err)
	}
	servers.byName[name] = server
	return server.Addr(), nil
}
