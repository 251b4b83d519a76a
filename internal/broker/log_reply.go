package broker

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/splits"
)

// fetchedAll decodes the reply of one XREAD. In RESP2 the reply is a list of pairs in the order of
// the keys. In RESP3 it is a map.
func fetchedAll(cursors []splits.Cursor, read *redis.Cmd) ([]splits.Fetched, error) {
	fetched := make([]splits.Fetched, len(cursors))
	reply, err := read.Result()
	if errors.Is(err, redis.Nil) {
		return fetched, nil // no split has new entries
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

// entries decodes the entries of one stream. The entries share the strings of the reply.
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

// unfinished marks the error of a read if a smaller read might succeed: the request was sent, but
// the reply did not arrive completely.
func unfinished(err error) error {
	if rediserr.Classify(err) == rediserr.ClassConnection && (rediserr.CutOff(err) || rediserr.TimedOut(err)) &&
		!rediserr.NeverSent(err) &&
		!errors.Is(err, context.Canceled) {
		return &unfinishedError{err}
	}
	return err
}

// unfinishedError matches splits.ErrUnfinished and has only the text of its cause.
type unfinishedError struct{ error }

func (e *unfinishedError) Is(target error) bool { return target == splits.ErrUnfinished }

func (e *unfinishedError) Unwrap() error { return e.error }
