package broker

import (
	"context"
	"fmt"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/splits"
)

// Range returns entries of a split in the order of their offsets, at most count of them. from and
// to are the ends of the range as XRANGE takes them. A stream that does not exist has no entries.
func (l *Log) Range(ctx context.Context, split splits.Split, from, to string, count int) ([]splits.Entry, error) {
	reply, err := l.control.Do(ctx, "XRANGE", split.Key, from, to, "COUNT", count).Result()
	if err != nil {
		return nil, fmt.Errorf("reading partition %s, key %s: %w", split, split.Key, rediserr.Explain(err))
	}
	return entries(reply)
}
