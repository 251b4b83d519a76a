package broker

import (
	"slices"
	"sync"
	"time"

	"github.com/rafka-streams/rafka/internal/script"
)

// Registry is what a process knows of the groups of a topic: the heartbeats of one of these groups
// read the key that lists all of them (see ReadGroups). Shares needs it to delete entries. It is
// safe for concurrent use.
type Registry struct {
	mu sync.Mutex // never held during I/O
	groupsRead
}

// groupsRead is the result of reading the groups of a topic once.
type groupsRead struct {
	groups []string // in ascending order
	// at is when they were read, in Unix milliseconds by the clock of the server that holds the
	// topic; 0: never.
	at int64
	// valid is for how long the result may be used.
	valid time.Duration
}

// NewRegistry returns a Registry that knows nothing yet.
func NewRegistry() *Registry { return &Registry{} }

// learn decodes the last words of a reply of heartbeat.lua, now_ms and groups. The reply has none
// if the heartbeat could not name the key while its slot moves, or if the key was lost a short time
// ago.
func (r *Registry) learn(reply script.Reply, valid time.Duration) error {
	if len(reply) < 10 {
		return nil
	}
	at, err := reply.Signed(8)
	if err != nil {
		return script.Unreadable(heartbeatScript, []any(reply), err)
	}
	groups := reply.Words(9)
	slices.Sort(groups) // Redis returns them in any order
	r.mu.Lock()
	defer r.mu.Unlock()
	r.groupsRead = groupsRead{groups, at, valid}
	return nil
}

// last returns the last result; a nil Registry knows nothing.
func (r *Registry) last() groupsRead {
	if r == nil {
		return groupsRead{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.groupsRead
}

// others returns the groups except one.
func (g groupsRead) others(than string) []string {
	return slices.DeleteFunc(slices.Clone(g.groups), func(name string) bool { return name == than })
}
