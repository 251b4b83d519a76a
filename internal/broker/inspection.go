package broker

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/splits"
)

// inspection is the question what one stream looks like, on its way through a pipeline.
type inspection struct {
	split splits.Split
	info  *redis.Cmd
	// first and last ask for those entries by themselves, for servers whose XINFO STREAM does not tell; nil if not asked.
	first, last *redis.Cmd
}

// inspect puts the question into the pipeline; sparse says that the server is known to tell little.
func inspect(ctx context.Context, pipe redis.Pipeliner, split splits.Split, sparse bool) *inspection {
	i := &inspection{split: split, info: pipe.Do(ctx, "xinfo", "stream", split.Key)}
	if sparse {
		i.askEnds(ctx, pipe)
	}
	return i
}

func (i *inspection) askEnds(ctx context.Context, pipe redis.Pipeliner) {
	i.first = pipe.Do(ctx, "xrange", i.split.Key, "-", "+", "count", 1)
	i.last = pipe.Do(ctx, "xrevrange", i.split.Key, "+", "-", "count", 1)
}

// complete asks again, on its own, about the streams whose first entry the server did not tell; later inspections ask at once.
func (l *Log) complete(ctx context.Context, inspections []*inspection) {
	pipe := l.control.Pipeline()
	for _, i := range inspections {
		if i == nil || i.first != nil || i.info.Err() != nil {
			continue
		}
		if info := infoOf(i.info); !info.has("recorded-first-entry-id") && !info.has("first-entry") {
			l.sparse.Store(true)
			i.askEnds(ctx, pipe)
		}
	}
	if pipe.Len() > 0 {
		exec(ctx, pipe)
	}
}

// state puts the answers together.
func (i *inspection) state() splits.State {
	err := i.info.Err()
	if redis.HasErrorPrefix(err, "no such key") {
		return splits.State{}
	}
	state := splits.State{Exists: true}
	if err == nil {
		err = infoOf(i.info).fill(&state)
	}
	if err == nil && i.first != nil {
		err = i.fillEnds(&state)
	}
	if err != nil {
		return splits.State{Err: fmt.Errorf("inspecting %s: %w", i.split.Key, Explain(err))}
	}
	return state
}

// fillEnds takes the first and the last offset from the entries themselves. A server that tells the last generated one is
// believed.
func (i *inspection) fillEnds(state *splits.State) error {
	for cmd, offset := range map[*redis.Cmd]*splits.Offset{i.first: &state.First, i.last: &state.Last} {
		reply, err := cmd.Result()
		if err != nil {
			return err
		}
		found, err := entries(reply)
		if err != nil {
			return err
		}
		if len(found) > 0 && offset.Before(found[0].Offset) {
			*offset = found[0].Offset
		}
	}
	return nil
}

// streamInfo is the reply of XINFO STREAM: a flat list in RESP2, a map in RESP3.
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

func (info streamInfo) has(name string) bool {
	_, ok := info[name]
	return ok
}

// fill sets what the reply tells; what it does not tell is left as State documents it.
func (info streamInfo) fill(state *splits.State) (err error) {
	if state.Length, err = info.count("length", 0); err != nil {
		return err
	}
	if state.Added, err = info.count("entries-added", -1); err != nil {
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
		return 0, fmt.Errorf("XINFO STREAM says %s is %v, which is no number", name, value)
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
