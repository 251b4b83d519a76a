package broker

import (
	"context"
	"errors"
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

// Log reads the entries of splits: it implements splits.Log. It is safe for concurrent use and does
// not close its clients.
//
// Replies are read through go-redis' own generic reader: 0.9 µs of CPU an entry, 15 allocations.
// Parsing the raw reply instead saves a fifth of that, but then go-redis no longer sees MOVED in
// it, and entries share, and keep alive, the memory of a whole reply.
type Log struct {
	blocking, control redis.UniversalClient
	// longest is the longest BLOCK that fits into the read timeout of the blocking client, 0 if any
	// does.
	longest time.Duration

	mu    sync.Mutex      // no I/O under it
	light map[string]bool // streams whose first and last entry are small
	// narrowUntil is how long those of a light stream have to be smaller than usual.
	narrowUntil time.Time
}

var _ splits.Streams = (*Log)(nil)

// NewLog returns a Log that reads entries on the blocking client, whether it waits for them or not:
// they may take as long as its timeouts allow. It does all else, whose answers are small, on the
// control client. Both stay the caller's.
func NewLog(blocking, control redis.UniversalClient) *Log {
	return &Log{blocking: blocking, control: control, longest: longestBlock(blocking), light: map[string]bool{}}
}

// blockLateness is how much later than asked for a quiet BLOCK may seem to end: Redis looks at the
// clock every 100 ms (hz 10), and go-redis computes deadlines with one that may be 50 ms behind.
const blockLateness = 300 * time.Millisecond

// longestBlock finds the BLOCK that a client's read timeout allows. go-redis extends the timeout
// for blocking commands of its own, but neither for those in a pipeline nor for raw ones, so BLOCK
// must stay below it: else each quiet moment would cost a connection, and the entries in the reply
// that nobody waited for.
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

// Fetch reads entries behind each cursor in one round trip, together with the states that are asked
// for. It waits less than req.Block if the blocking client's read timeout is not 300 ms longer. A
// split that alone cannot be read fails the XREAD of all without saying which: they are then read
// one by one, without waiting. go-redis does not interrupt a read on the end of ctx: Fetch may
// return as late as req.Block, or a read timeout, after it.
func (l *Log) Fetch(ctx context.Context, req splits.FetchRequest) ([]splits.Fetched, error) {
	if len(req.Cursors) == 0 {
		return nil, nil
	}
	pipe := l.blocking.Pipeline()
	inspections := l.inspectCursors(ctx, pipe, req.Cursors)
	read := xread(ctx, pipe, req.Cursors, req.Count, l.blockOf(req))
	exec(ctx, pipe)
	fetched, err := fetchedAll(req.Cursors, read)
	if singular(err) {
		fetched, err = fetchEach(ctx, l.blocking, req)
	}
	if err != nil {
		l.narrow(inspections)
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
	if req.Block <= 0 {
		return 0
	}
	block := max(req.Block, time.Millisecond) // BLOCK 0 would wait for ever
	if l.longest > 0 {
		block = min(block, l.longest)
	}
	return block
}

// inspectCursors asks for the states of the cursors that want it; the others have nil.
func (l *Log) inspectCursors(ctx context.Context, pipe redis.Pipeliner, cursors []splits.Cursor) []*inspection {
	inspections := make([]*inspection, len(cursors))
	for i, cursor := range cursors {
		if cursor.Inspect {
			inspections[i] = l.inspect(ctx, pipe, cursor.Split)
		}
	}
	return inspections
}

// xread puts an XREAD of all cursors into the pipeline; without block it does not wait.
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
	cmd.SetFirstKeyPos(int8(firstKey)) // for the slot on a cluster
	// Sent again by go-redis, it would meet the same node: the masters are looked for once a
	// request has failed, and whoever fetches tries again by himself.
	_ = pipe.Process(ctx, script.Once{Cmd: cmd}) // it only joins the pipeline
	return cmd
}

// fetchEach reads the cursors one by one in one pipeline, so that each has its own error.
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
		case singular(err):
			if denied++; denied == len(reads) && rediserr.Classify(err) == rediserr.ClassPermission {
				return nil, err // not about keys: XREAD itself is denied
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

// singular reports whether an error may be that of one key among many.
func singular(err error) bool {
	class := rediserr.Classify(err)
	return class == rediserr.ClassWrongType || class == rediserr.ClassPermission
}

// fetchedAll decodes the reply of one XREAD. In RESP2 it is a list of pairs in the order of the
// keys, in RESP3 a map.
func fetchedAll(cursors []splits.Cursor, read *redis.Cmd) ([]splits.Fetched, error) {
	fetched := make([]splits.Fetched, len(cursors))
	reply, err := read.Result()
	if errors.Is(err, redis.Nil) {
		return fetched, nil // no split has anything
	} else if err != nil {
		return nil, err
	}
	switch streams := reply.(type) {
	case map[any]any:
		for i, cursor := range cursors {
			if fetched[i].Entries, err = entries(streams[cursor.Split.Key]); err != nil {
				return nil, err
			}
		}
		return fetched, nil
	case []any:
		return fetched, fillInOrder(fetched, cursors, streams)
	}
	return nil, malformed(reply)
}

func fillInOrder(fetched []splits.Fetched, cursors []splits.Cursor, streams []any) (err error) {
	next := 0
	for _, item := range streams {
		pair, _ := item.([]any)
		if len(pair) != 2 {
			return malformed(item)
		}
		for next < len(cursors) && pair[0] != cursors[next].Split.Key {
			next++
		}
		if next == len(cursors) {
			return malformed(pair[0])
		}
		if fetched[next].Entries, err = entries(pair[1]); err != nil {
			return err
		}
	}
	return nil
}

// entries decodes the entries of one stream. Their strings are those of the reply.
func entries(value any) ([]splits.Entry, error) {
	list, ok := value.([]any)
	if !ok && value != nil {
		return nil, malformed(value)
	}
	out := make([]splits.Entry, len(list))
	for i, item := range list {
		pair, _ := item.([]any)
		if len(pair) < 2 {
			return nil, malformed(item)
		}
		id, _ := pair[0].(string)
		offset, err := splits.ParseOffset(id)
		if err != nil {
			return nil, fmt.Errorf("decoding the reply of Redis: %w", err)
		}
		values, _ := pair[1].([]any)
		fields := make([]string, len(values))
		for j, value := range values {
			if fields[j], ok = value.(string); !ok {
				return nil, malformed(value)
			}
		}
		out[i] = splits.Entry{Offset: offset, Fields: fields}
	}
	return out, nil
}

func malformed(value any) error {
	return fmt.Errorf("the reply of Redis has %.100q where a part of a stream should be", fmt.Sprint(value))
}

func cursorNames(cursors []splits.Cursor) string {
	names := make([]string, len(cursors))
	for i, cursor := range cursors {
		names[i] = cursor.Split.Key
	}
	slices.Sort(names) // reads take turns, and a log of the same error should not differ from read to read
	if len(names) > 4 {
		return strings.Join(names[:3], ", ") + " and " + strconv.Itoa(len(names)-3) + " more"
	}
	return strings.Join(names, ", ")
}

// unfinished marks the error of a read if a smaller one might succeed: the request went out, and
// the answer did not arrive completely.
func unfinished(err error) error {
	if rediserr.Classify(err) == rediserr.ClassConnection && (rediserr.CutOff(err) || rediserr.TimedOut(err)) &&
		!rediserr.NeverSent(err) &&
		!errors.Is(err, context.Canceled) {
		return &unfinishedError{err}
	}
	return err
}

// unfinishedError is splits.ErrUnfinished, and has the text of its cause alone.
type unfinishedError struct{ error }

func (e *unfinishedError) Is(target error) bool { return target == splits.ErrUnfinished }

func (e *unfinishedError) Unwrap() error { return e.error }

// exec sends a pipeline; each command has its error then. When a server refuses a new connection in
// words of its own (WRONGPASS, max number of clients reached), go-redis returns that from Exec
// alone and leaves the commands with neither error nor value.
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

// Shard names the splits that one Fetch may read together: all on a single server, where it is "",
// and those of one slot on a cluster, where it is the number of the slot. It does no I/O.
func (l *Log) Shard(split splits.Split) string {
	if _, ok := l.control.(*redis.ClusterClient); !ok {
		return ""
	}
	return strconv.Itoa(script.SlotOf(split.Key))
}
