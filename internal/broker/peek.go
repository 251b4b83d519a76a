package broker

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/rafka-streams/rafka/splits"
)

//go:embed peek.lua
var peekSrc string

var peekScript = newScript("peek", preludeSrc+peekSrc)

// Peek implements splits.Log.
func (l *Log) Peek(ctx context.Context, at []splits.Cursor) ([]splits.Peeked, error) {
	calls := make([]scriptCall, len(at))
	for i, cursor := range at {
		calls[i] = peekScript.call([]string{cursor.Split.Key}, cursor.After.String())
	}
	peeked := make([]splits.Peeked, len(at))
	for i, answer := range runAll(ctx, l.control, calls) {
		var err error
		if peeked[i], err = decodePeeked(answer); Classify(err) == ClassConnection {
			return nil, fmt.Errorf("looking at the next entry of %s: %w", at[i].Split.Key, err)
		}
		peeked[i].Err = err
	}
	return peeked, nil
}

// decodePeeked reads NONE, or OK id bytes.
func decodePeeked(answer scriptReply) (p splits.Peeked, err error) {
	if answer.err != nil {
		return p, Explain(answer.err)
	}
	words := replyOf(answer.value)
	switch words.word(0) {
	case "NONE":
		return p, nil
	case "OK":
		if p.Size, err = words.signed(2); err == nil {
			p.Offset, err = splits.ParseOffset(words.word(1))
		}
		if err != nil {
			return splits.Peeked{}, unreadable(peekScript, answer.value, err)
		}
		return p, nil
	}
	return p, unexpected(peekScript, answer.value)
}
