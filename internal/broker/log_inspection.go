package broker

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// XINFO STREAM replies with the first and the last entry of the stream. A script leaves both
// entries out, but costs the server more time: six times as much for small entries, and 60 times as
// much for entries of 100 KB. Log therefore sends XINFO STREAM without the script if both entries
// are small.
const (
	// maxEnds is the maximum size of both entries together, in bytes, for XINFO STREAM.
	maxEnds = 64 << 10
	// reducedMaxEnds is the limit instead of maxEnds for some time after a reply with entries did
	// not arrive.
	reducedMaxEnds = 1 << 10
	// reducedFor is how long reducedMaxEnds is the limit. The time is limited because the cause may
	// have been an outage.
	reducedFor = 10 * time.Minute
)

// inspection is a request for the state of one stream in a pipeline.
type inspection struct {
	split  splits.Split
	reply  *redis.Cmd
	script bool // true: the reply of the script; false: the reply of XINFO STREAM
}

// inspect adds a request for the state of the stream to the pipeline. To keep the reply small,
// inspect uses the script until the first and the last entry of the stream are known to be small.
func (l *Log) inspect(ctx context.Context, pipe redis.Pipeliner, split splits.Split) *inspection {
	i := &inspection{split: split}
	if l.hasSmallEnds(split.Key) {
		i.requestByXInfo(ctx, pipe)
	} else {
		i.requestByScript(ctx, pipe, (*script.Call).ByHash)
	}
	return i
}

func (i *inspection) requestByScript(
	ctx context.Context,
	pipe redis.Pipeliner,
	command func(c *script.Call, ctx context.Context) *redis.Cmd,
) {
	call := stateScript.Call([]string{i.split.Key})
	i.reply, i.script = command(&call, ctx), true
	_ = pipe.Process(ctx, script.Once{Cmd: i.reply}) // only adds the command to the pipeline
}

func (i *inspection) requestByXInfo(ctx context.Context, pipe redis.Pipeliner) {
	i.reply, i.script = pipe.Do(ctx, "xinfo", "stream", i.split.Key), false
}

// complete repeats the requests for streams whose server does not have the script or does not
// permit it. It then records which streams have a small first and last entry.
func (l *Log) complete(ctx context.Context, inspections []*inspection) {
	for again := true; again; { // a server that receives the script can still deny it
		pipe := l.control.Pipeline()
		for _, i := range inspections {
			switch {
			case i == nil || !i.script:
			case redis.HasErrorPrefix(i.reply.Err(), "NOSCRIPT"):
				i.requestByScript(ctx, pipe, (*script.Call).BySource)
			case rediserr.Classify(i.reply.Err()) == rediserr.ClassPermission:
				i.requestByXInfo(ctx, pipe)
			}
		}
		if again = pipe.Len() > 0; again {
			exec(ctx, pipe)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	limit := maxEnds
	if time.Now().Before(l.reducedUntil) {
		limit = reducedMaxEnds
	}
	for _, i := range inspections {
		switch {
		case i == nil:
		case i.ends() <= limit:
			l.smallEnds[i.split.Key] = true
		default:
			delete(l.smallEnds, i.split.Key)
		}
	}
}

func (l *Log) hasSmallEnds(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.smallEnds[key]
}

// ends returns the size of the first and the last entry of the stream together, in bytes. It
// returns math.MaxInt if the size is unknown.
func (i *inspection) ends() int {
	if i.reply.Err() != nil {
		return math.MaxInt
	}
	info := infoOf(i.reply)
	if i.script {
		if bytes, err := info.count("ends", -1); err == nil && bytes >= 0 {
			return int(bytes)
		}
		return math.MaxInt
	}
	first, known := info["first-entry"]
	if !known {
		return math.MaxInt
	}
	return sizeOf(first) + sizeOf(info["last-entry"])
}

// reduceReplies handles replies that did not arrive. If one of them is a reply of XINFO STREAM,
// which contains entries, reduceReplies makes Log use the script for all streams and returns true.
// Each stream uses the script until its first and last entry are known to be at most reducedMaxEnds
// bytes together.
func (l *Log) reduceReplies(inspections []*inspection) bool {
	plain := slices.ContainsFunc(inspections, func(i *inspection) bool {
		return i != nil && !i.script && rediserr.Classify(i.reply.Err()) == rediserr.ClassConnection
	})
	if plain {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.reducedUntil = time.Now().Add(reducedFor)
		clear(l.smallEnds)
	}
	return plain
}

// sizeOf returns the size of an entry's fields in bytes.
func sizeOf(entry any) (bytes int) {
	pair, _ := entry.([]any)
	if len(pair) < 2 {
		return 0
	}
	values, _ := pair[1].([]any)
	for _, value := range values {
		text, _ := value.(string)
		bytes += len(text)
	}
	return bytes
}

// state decodes the reply.
func (i *inspection) state() splits.State {
	err := i.reply.Err()
	if redis.HasErrorPrefix(err, "no such key") {
		return splits.State{}
	}
	state := splits.State{Exists: true}
	if err == nil {
		err = infoOf(i.reply).fill(&state)
	}
	if err != nil {
		return splits.State{Err: fmt.Errorf("inspecting %s: %w", i.split.Key, rediserr.Explain(err))}
	}
	return state
}

// streamInfo is the reply of XINFO STREAM or of the script: a flat list in RESP2, a map in RESP3.
type streamInfo map[string]any

func infoOf(cmd *redis.Cmd) streamInfo {
	info := streamInfo{}
	switch reply := cmd.Val().(type) {
	case []any:
		for i := 0; i+1 < len(reply); i += 2 {
			info[fmt.Sprint(reply[i])] = reply[i+1]
		}
	case map[any]any:
		for name, value := range reply {
			info[fmt.Sprint(name)] = value
		}
	}
	return info
}

// fill sets the fields of state from the reply. A field that the reply does not contain gets the
// value that splits.State documents for it.
func (info streamInfo) fill(state *splits.State) (err error) {
	if state.Length, err = info.count("length", 0); err != nil {
		return err
	}
	if state.EntriesAdded, err = info.count("entries-added", -1); err != nil {
		return err
	}
	if state.Last, err = info.offset("last-generated-id"); err != nil {
		return err
	}
	if state.MaxDeleted, err = info.offset("max-deleted-entry-id"); err != nil {
		return err
	}
	if state.First, err = info.offset("recorded-first-entry-id"); err != nil {
		return err
	}
	last, err := info.offset("last-entry-id")
	if err != nil {
		return err
	}
	if state.Last.Before(last) {
		state.Last = last // a server without counts may miss an entry with an explicit ID
	}
	if entry, ok := info["first-entry"].([]any); ok && len(entry) > 0 {
		state.First, err = splits.ParseOffset(fmt.Sprint(entry[0]))
	}
	return err
}

func (info streamInfo) count(name string, missing int64) (int64, error) {
	value, ok := info[name]
	if !ok {
		return missing, nil
	}
	n, err := strconv.ParseInt(fmt.Sprint(value), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("XINFO STREAM reports %s as %v, which is not a number", name, value)
	}
	return n, nil
}

func (info streamInfo) offset(name string) (splits.Offset, error) {
	text, ok := info[name].(string)
	if !ok || text == "" {
		return splits.Offset{}, nil
	}
	return splits.ParseOffset(text)
}
