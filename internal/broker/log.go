package broker

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// Log reads the entries of splits. It implements splits.Streams. It is safe for concurrent use and
// does not close its clients.
//
// Log reads replies with go-redis' generic reader, which costs 0.9 µs of CPU and 15 allocations per
// entry. Parsing the raw reply would save a fifth of this cost. But go-redis would then not
// recognize MOVED in the reply, and the entries would share the memory of the whole reply and keep
// it allocated.
type Log struct {
	blocking, control redis.UniversalClient
	// longest is the longest BLOCK that fits into the read timeout of the blocking client. 0 means
	// no limit.
	longest time.Duration

	mu        sync.Mutex      // never held during I/O
	smallEnds map[string]bool // the keys of streams whose first and last entry are small
	// reducedUntil is the time until which reducedMaxEnds, not maxEnds, limits the streams in
	// smallEnds.
	reducedUntil time.Time
}

var _ splits.Streams = (*Log)(nil)

// NewLog returns a Log. The Log reads entries on the blocking client, with and without BLOCK,
// because a reply with entries may take as long as the timeouts of that client allow. It sends all
// other requests, whose replies are small, on the control client. The caller keeps ownership of
// both clients.
func NewLog(blocking, control redis.UniversalClient) *Log {
	return &Log{blocking: blocking, control: control, longest: longestBlock(blocking), smallEnds: map[string]bool{}}
}

// blockLateness is how much later than requested a BLOCK without entries can seem to end. Redis
// checks the clock every 100 ms (hz 10), and go-redis computes deadlines with a clock that can be
// 50 ms behind.
const blockLateness = 300 * time.Millisecond

// longestBlock returns the longest BLOCK that the client's read timeout allows. go-redis extends
// the timeout for its own blocking commands, but not for commands in a pipeline or for raw
// commands. BLOCK must therefore be shorter than the timeout. Otherwise each BLOCK without entries
// would cost a connection, and entries that arrive after the timeout would be discarded.
func longestBlock(client redis.UniversalClient) time.Duration {
	var timeout time.Duration
	switch c := client.(type) {
	case *redis.Client:
		timeout = c.Options().ReadTimeout
	case *redis.ClusterClient:
		timeout = c.Options().ReadTimeout
	}
	if timeout <= 0 {
		return 0
	}
	return max(timeout-blockLateness, timeout/8, time.Millisecond)
}

// Fetch reads entries after each cursor in one round trip, together with the requested states. It
// waits for less than req.Block unless the blocking client's read timeout is at least 300 ms
// longer. If a single split cannot be read, the XREAD of all splits fails without naming the split.
// Fetch then reads the splits one by one, without waiting. go-redis does not interrupt a read when
// ctx ends: Fetch can return up to req.Block, or up to a read timeout, after the end of ctx.
func (l *Log) Fetch(ctx context.Context, req splits.FetchRequest) ([]splits.Fetched, error) {
	if len(req.Cursors) == 0 {
		return nil, nil
	}
	pipe := l.blocking.Pipeline()
	inspections := l.inspectCursors(ctx, pipe, req.Cursors)
	read := xread(ctx, pipe, req.Cursors, req.Count, l.blockOf(req))
	exec(ctx, pipe)
	fetched, err := fetchedAll(req.Cursors, read)
	if concernsOneKey(err) {
		fetched, err = fetchEach(ctx, l.blocking, req)
	}
	if err != nil {
		l.reduceReplies(inspections)
		return nil, fmt.Errorf("reading %s: %w", cursorNames(req.Cursors), unfinished(rediserr.ExplainRead(err)))
	}
	l.complete(ctx, inspections)
	for i, inspection := range inspections {
		if inspection == nil {
			continue
		}
		if state := inspection.state(); state.Err == nil {
			fetched[i].State = &state
		}
	}
	return fetched, nil
}

func (l *Log) blockOf(req splits.FetchRequest) time.Duration {
	return blockWithin(req.Block, l.longest)
}

// blockWithin returns the BLOCK of a read that may wait: at most longest, unless that is 0. It
// returns 0 for a read that does not wait.
func blockWithin(block, longest time.Duration) time.Duration {
	if block <= 0 {
		return 0
	}
	block = max(block, time.Millisecond) // BLOCK 0 would wait forever
	if longest > 0 {
		block = min(block, longest)
	}
	return block
}

// inspectCursors requests the states of the cursors that have Inspect set. The result has one
// element for each cursor: nil if Inspect is not set.
func (l *Log) inspectCursors(ctx context.Context, pipe redis.Pipeliner, cursors []splits.Cursor) []*inspection {
	inspections := make([]*inspection, len(cursors))
	for i, cursor := range cursors {
		if cursor.Inspect {
			inspections[i] = l.inspect(ctx, pipe, cursor.Split)
		}
	}
	return inspections
}

// xread adds an XREAD of all cursors to the pipeline. If block is 0, the XREAD does not wait.
func xread(
	ctx context.Context,
	pipe redis.Pipeliner,
	cursors []splits.Cursor,
	count int,
	block time.Duration,
) *redis.Cmd {
	args := make([]any, 0, 6+2*len(cursors))
	args = append(args, "xread")
	if count > 0 {
		args = append(args, "count", count)
	}
	if block > 0 {
		args = append(args, "block", block.Milliseconds())
	}
	args = append(args, "streams")
	firstKey := len(args)
	for _, cursor := range cursors {
		args = append(args, cursor.Split.Key)
	}
	for _, cursor := range cursors {
		args = append(args, cursor.After.String())
	}
	cmd := redis.NewCmd(ctx, args...)
	cmd.SetFirstKeyPos(int8(firstKey)) // go-redis routes by this key on a cluster
	// go-redis would retry on the same node, because it searches for new masters only after a
	// request has failed. The caller of Fetch retries instead.
	_ = pipe.Process(ctx, script.Once{Cmd: cmd}) // only adds the command to the pipeline
	return cmd
}

// fetchEach reads the cursors one by one in one pipeline, so that each cursor has its own error.
func fetchEach(ctx context.Context, client redis.UniversalClient, req splits.FetchRequest) ([]splits.Fetched, error) {
	pipe := client.Pipeline()
	reads := make([]*redis.Cmd, len(req.Cursors))
	for i := range req.Cursors {
		reads[i] = xread(ctx, pipe, req.Cursors[i:i+1], req.Count, 0)
	}
	exec(ctx, pipe)
	fetched := make([]splits.Fetched, len(reads))
	denied := 0
	for i, read := range reads {
		one, err := fetchedAll(req.Cursors[i:i+1], read)
		switch {
		case concernsOneKey(err):
			if denied++; denied == len(reads) && rediserr.Classify(err) == rediserr.ClassPermission {
				return nil, err // the user may not run XREAD for any key
			}
			fetched[i].Err = fmt.Errorf("reading %s: %w", req.Cursors[i].Split.Key, rediserr.Explain(err))
		case err != nil:
			return nil, err
		default:
			fetched[i] = one[0]
		}
	}
	return fetched, nil
}

// concernsOneKey reports whether the error can be about a single key of the request.
func concernsOneKey(err error) bool {
	class := rediserr.Classify(err)
	return class == rediserr.ClassWrongType || class == rediserr.ClassPermission
}

func cursorNames(cursors []splits.Cursor) string {
	names := make([]string, len(cursors))
	for i, cursor := range cursors {
		names[i] = cursor.Split.Key
	}
	slices.Sort(names) // the order of the cursors varies between reads; the error text should not
	if len(names) > 4 {
		return strings.Join(names[:3], ", ") + " and " + strconv.Itoa(len(names)-3) + " more"
	}
	return strings.Join(names, ", ")
}

// exec sends a pipeline. Afterwards each command has a value or an error. If a server rejects a new
// connection with an error (WRONGPASS, max number of clients reached), go-redis returns the error
// only from Exec and leaves the commands without an error and without a value. exec then sets the
// error of each command.
func exec(ctx context.Context, pipe redis.Pipeliner) {
	commands, err := pipe.Exec(ctx)
	if err == nil {
		return
	}
	for _, command := range commands {
		if alone, ok := command.(script.Once); ok {
			command = alone.Cmd
		}
		if cmd, ok := command.(*redis.Cmd); ok && cmd.Err() == nil && cmd.Val() == nil {
			cmd.SetErr(err)
		}
	}
}

// Shard returns a name that is equal for all splits that one Fetch may read together. On a cluster
// the name is the number of the split's slot. On a single server it is "", because one Fetch may
// read all splits. Shard does no I/O.
func (l *Log) Shard(split splits.Split) string { return shard(l.control, split) }

func shard(client redis.UniversalClient, split splits.Split) string {
	if _, ok := client.(*redis.ClusterClient); !ok {
		return ""
	}
	return strconv.Itoa(script.SlotOf(split.Key))
}
