package broker

import (
	"context"
	"fmt"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// Peek implements splits.Streams.
func (l *Log) Peek(ctx context.Context, at []splits.Cursor) ([]splits.Peeked, error) {
	calls := make([]script.Call, len(at))
	for i, cursor := range at {
		calls[i] = peekScript.Call([]string{cursor.Split.Key}, cursor.After.String())
	}
	peeked := make([]splits.Peeked, len(at))
	for i, reply := range script.RunAll(ctx, l.control, calls) {
		var err error
		if peeked[i], err = decodePeeked(reply); rediserr.Classify(err) == rediserr.ClassConnection {
			return nil, fmt.Errorf("looking at the next entry of %s: %w", at[i].Split.Key, err)
		}
		peeked[i].Err = err
	}
	return peeked, nil
}

// decodePeeked decodes the reply "NONE" or "OK id bytes".
func decodePeeked(reply script.Result) (p splits.Peeked, err error) {
	if reply.Err != nil {
		return p, rediserr.Explain(reply.Err)
	}
	words := script.ReplyOf(reply.Value)
	switch words.Word(0) {
	case "NONE":
		return p, nil
	case "OK":
		if p.Size, err = words.Signed(2); err == nil {
			p.Offset, err = splits.ParseOffset(words.Word(1))
		}
		if err != nil {
			return splits.Peeked{}, script.Unreadable(peekScript, reply.Value, err)
		}
		return p, nil
	}
	return p, script.Unexpected(peekScript, reply.Value)
}
