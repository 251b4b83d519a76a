package broker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// Read implements splits.Shares. It reads the generations and the entries in one round trip, in
// this order. It waits for less than req.Block unless the blocking client's read timeout is at least
// 300 ms longer. If a single split can't be read, the XREADGROUP of all splits fails and delivers
// nothing. Read then reads the splits one by one, without waiting. As with Log.Fetch, the end of ctx
// does not interrupt a read.
func (s *Shares) Read(ctx context.Context, req splits.ShareRead) ([]splits.Delivered, error) {
	if len(req.Splits) == 0 {
		return nil, nil
	}
	cursors := make([]splits.Cursor, len(req.Splits))
	for i, split := range req.Splits {
		cursors[i].Split = split
	}
	pipe := s.blocking.Pipeline()
	generations := s.generations(ctx, pipe, req.Splits)
	read := s.xreadgroup(ctx, pipe, req, req.Splits, blockWithin(req.Block, s.longest))
	exec(ctx, pipe)
	fetched, err := fetchedAll(cursors, read)
	if noGroup(err) || concernsOneKey(err) {
		return s.readEach(ctx, req)
	}
	if err == nil {
		delivered := make([]splits.Delivered, len(fetched))
		for i := range fetched {
			delivered[i].Entries = fetched[i].Entries
			delivered[i].Generation, err = generationOf(generations[i])
			if err != nil {
				break
			}
		}
		if err == nil {
			return delivered, nil
		}
	}
	return nil, fmt.Errorf("reading %s: %w", cursorNames(cursors), unfinished(rediserr.ExplainRead(err)))
}

// readEach reads the splits one by one in one pipeline, so that each split has its own error.
func (s *Shares) readEach(ctx context.Context, req splits.ShareRead) ([]splits.Delivered, error) {
	pipe := s.blocking.Pipeline()
	generations := s.generations(ctx, pipe, req.Splits)
	reads := make([]*redis.Cmd, len(req.Splits))
	for i := range req.Splits {
		reads[i] = s.xreadgroup(ctx, pipe, req, req.Splits[i:i+1], 0)
	}
	exec(ctx, pipe)
	delivered := make([]splits.Delivered, len(reads))
	for i, read := range reads {
		split := req.Splits[i]
		one, err := fetchedAll([]splits.Cursor{{Split: split}}, read)
		switch {
		case noGroup(err):
			delivered[i].Err = splits.ErrNoGroup
			continue
		case concernsOneKey(err):
			delivered[i].Err = fmt.Errorf("reading %s: %w", split.Key, rediserr.Explain(err))
			continue
		case err == nil:
			delivered[i].Entries = one[0].Entries
			delivered[i].Generation, err = generationOf(generations[i])
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", split.Key, unfinished(rediserr.ExplainRead(err)))
		}
	}
	return delivered, nil
}

// generations adds a request for the generation of each split to the pipeline.
func (s *Shares) generations(ctx context.Context, pipe redis.Pipeliner, of []splits.Split) []*redis.Cmd {
	commands := make([]*redis.Cmd, len(of))
	for i, split := range of {
		commands[i] = redis.NewCmd(ctx, "hget", keys.Share(split.Key, s.group), "generation")
		_ = pipe.Process(ctx, script.Once{Cmd: commands[i]}) // only adds the command to the pipeline
	}
	return commands
}

// generationOf decodes a generation; 0 if there is none.
func generationOf(cmd *redis.Cmd) (uint64, error) {
	text, err := cmd.Text()
	if errors.Is(err, redis.Nil) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("field generation is %.100q and not a number", text)
	}
	return n, nil
}

// xreadgroup adds an XREADGROUP of some splits to the pipeline. If block is 0, it does not wait.
func (s *Shares) xreadgroup(
	ctx context.Context,
	pipe redis.Pipeliner,
	req splits.ShareRead,
	of []splits.Split,
	block time.Duration,
) *redis.Cmd {
	args := make([]any, 0, 9+2*len(of))
	args = append(args, "xreadgroup", "group", s.group, s.consumer(req.Member), "count", req.Count)
	if block > 0 {
		args = append(args, "block", block.Milliseconds())
	}
	args = append(args, "streams")
	firstKey := len(args)
	for _, split := range of {
		args = append(args, split.Key)
	}
	for range of {
		args = append(args, ">")
	}
	cmd := redis.NewCmd(ctx, args...)
	cmd.SetFirstKeyPos(int8(firstKey))           // go-redis routes by this key on a cluster
	_ = pipe.Process(ctx, script.Once{Cmd: cmd}) // a second read would deliver other entries
	return cmd
}

// noGroup reports whether the stream or the group did not exist, or disappeared while the read
// waited.
func noGroup(err error) bool {
	return redis.HasErrorPrefix(err, "NOGROUP") || redis.HasErrorPrefix(err, "UNBLOCKED")
}
