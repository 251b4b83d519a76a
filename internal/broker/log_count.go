package broker

import (
	"context"
	"fmt"
	"time"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// Count implements splits.Streams.
func (l *Log) Count(ctx context.Context, req splits.CountRequest) (splits.Counted, error) {
	began := time.Now()
	value, err := countEntriesScript.Run(
		ctx,
		l.control,
		[]string{req.Split.Key},
		req.After.String(),
		req.UpTo.String(),
		req.Most,
	)
	if err != nil {
		return splits.Counted{}, fmt.Errorf("counting the entries of %s: %w", req.Split.Key, rediserr.Explain(err))
	}
	words := script.ReplyOf(value)
	if words.Word(0) != "OK" {
		return splits.Counted{}, fmt.Errorf(
			"counting the entries of %s: %w",
			req.Split.Key,
			script.Unexpected(countEntriesScript, value),
		)
	}
	counted, err := decodeCounted(words)
	if err != nil {
		return splits.Counted{}, fmt.Errorf(
			"counting the entries of %s: %w",
			req.Split.Key,
			script.Unreadable(countEntriesScript, value, err),
		)
	}
	if counted.Took == 0 {
		counted.Took = time.Since(began)
	}
	return counted, nil
}

// decodeCounted decodes the reply "OK entries first last more bytes microseconds".
func decodeCounted(words script.Reply) (c splits.Counted, err error) {
	var numbers [3]int64
	for i, word := range []int{1, 5, 6} {
		if numbers[i], err = words.Signed(word); err != nil {
			return c, err
		}
	}
	c = splits.Counted{
		Entries: int(
			numbers[0],
		),
		More: words.Word(4) != "",
		Size: int(numbers[1]),
		Took: time.Duration(max(0, numbers[2])) * time.Microsecond,
	}
	if c.Entries == 0 {
		return c, nil
	}
	if c.First, err = splits.ParseOffset(words.Word(2)); err != nil {
		return c, err
	}
	c.Last, err = splits.ParseOffset(words.Word(3))
	return c, err
}
