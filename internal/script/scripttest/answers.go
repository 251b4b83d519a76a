package scripttest

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
)

// Answering is a client whose server gives every script and every raw command the same answer. It
// never connects.
func Answering(answer any) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	client.AddHook(sameAnswer{answer})
	return client
}

type sameAnswer struct{ answer any }

func (sameAnswer) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s sameAnswer) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error { return s.give(cmd) }
}

func (s sameAnswer) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(_ context.Context, cmds []redis.Cmder) error {
		var first error
		for _, cmd := range cmds {
			if err := s.give(cmd); first == nil {
				first = err
			}
		}
		return first
	}
}

// give answers; commands whose replies go-redis itself decodes get what lets their callers go on.
func (s sameAnswer) give(cmd redis.Cmder) error {
	if one, ok := cmd.(script.Once); ok {
		cmd = one.Cmd
	}
	switch c := cmd.(type) {
	case *redis.Cmd:
		if err, failed := s.answer.(error); failed {
			c.SetErr(err)
		} else {
			c.SetVal(s.answer)
		}
	case *redis.IntCmd:
		c.SetVal(1)
	case *redis.TimeCmd:
		c.SetVal(time.UnixMilli(1767225600000))
	}
	return cmd.Err()
}

// AnswerIn makes an answer of a text: !error, or an array of words, in which #1 is a number, _ is
// nil and a|b a list.
func AnswerIn(text string) any {
	if refusal, ok := strings.CutPrefix(text, "!"); ok {
		return rediserr.Error(refusal)
	}
	var list []any
	for word := range strings.SplitSeq(text, " ") {
		if strings.Contains(word, "|") {
			var inner []any
			for part := range strings.SplitSeq(word, "|") {
				inner = append(inner, wordOf(part))
			}
			list = append(list, inner)
			continue
		}
		list = append(list, wordOf(word))
	}
	return list
}

func wordOf(text string) any {
	if digits, ok := strings.CutPrefix(text, "#"); ok {
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
			return n
		}
	}
	if text == "_" {
		return nil
	}
	return text
}
