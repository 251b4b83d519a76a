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
	for i, answer := range script.RunAll(ctx, l.control, calls) {
		var err error
		if peeked[i], err = decodePeeked(answer); rediserr.Classify(err) == rediserr.ClassConnection {
			return nil, fmt.Errorf("looking at the next entry of %s: %w", at[i].Split.Key, err)
		}
		peeked[i].Err = err
	}
	return peeked, nil
}

// decodePeeked decodes the reply "NONE" or "OK id bytes".
func decodePeeked(answer script.Result) (p splits.Peeked, err error) {
	if answer.Err != nil {
		return p, rediserr.Explain(answer.Err)
	}
	words := script.ReplyOf(answer.Value)
	switch words.Word(0) {
	case "NONE":
		return p, nil
	case "OK":
		if p.Size, err = words.Signed(2); err == nil {
			p.Offset, err = splits.ParseOffset(words.Word(1))
		}
		if err != nil {
			return splits.Peeked{}, script.Unreadable(peekScript, answer.Value, err)
		}
		return p, nil
	}
	return p, script.Unexpected(peekScript, answer.Value)
}
