package input

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/rafka-streams/rafka/config"
	"github.com/rafka-streams/rafka/internal/access"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/splits"
)

// letterWriter writes the dead letters of a group. It implements splits.Letters.
type letterWriter struct {
	letters *broker.Letters
	group   string
}

var _ splits.Letters = letterWriter{}

// Write writes a letter, unless an earlier call has written it.
func (w letterWriter) Write(ctx context.Context, l splits.Letter) error {
	return rediserr.Explain(w.letters.Write(ctx, letterOf(l, w.group, time.Now())))
}

// deadLetters returns when messages are given up, with what writes their letters; client is nil if
// none are.
func (s *settings) deadLetters(client config.Client) splits.DeadLetters {
	d := s.consumer.DeadLetters
	if client != nil {
		d.Letters = letterWriter{broker.NewLetters(client, s.letters), s.group}
	}
	return d
}

// letterOf returns the letter as an entry stores it.
func letterOf(l splits.Letter, group string, at time.Time) broker.Letter {
	return broker.Letter{Fields: l.Entry.Fields, Origin: broker.Origin{
		Topic: l.Split.Topic, Partition: l.Split.Partition, Offset: l.Entry.Offset.String(), Group: group,
		Deliveries: l.Deliveries, Error: l.Cause.Error(), Time: at,
	}}
}

// matchAny returns a function that reports whether the text of an error matches one of the regular
// expressions, or nil if there are none.
func matchAny(expressions []*regexp.Regexp) func(error) bool {
	if len(expressions) == 0 {
		return nil
	}
	return func(err error) bool {
		text := err.Error()
		for _, e := range expressions {
			if e.MatchString(text) {
				return true
			}
		}
		return false
	}
}

// checkLetters checks that dead letters can be written, if the input writes any.
func (s *settings) checkLetters(ctx context.Context, control config.Client) error {
	if s.letters == "" {
		return nil
	}
	if err := access.CheckLetters(ctx, control, s.letters); err != nil {
		return fmt.Errorf("%s: %w", fieldDeadLetter, err)
	}
	return nil
}

// checkLettersAtStart is checkLetters without failures that end on their own: the topic can be read
// meanwhile, and what is to be given up is retried.
func (s *settings) checkLettersAtStart(ctx context.Context, control config.Client) error {
	err := s.checkLetters(ctx, control)
	switch rediserr.Classify(err) {
	case rediserr.ClassConnection, rediserr.ClassTransient:
		return ctx.Err()
	}
	return err
}

// missingForLetters returns a warning about permissions that are missing for dead letters, if any.
func (s *settings) missingForLetters(ctx context.Context, control config.Client) string {
	if s.letters == "" {
		return ""
	}
	return access.MissingOptionalForLetters(ctx, control, s.letters)
}
