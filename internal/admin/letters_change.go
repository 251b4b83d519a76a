package admin

import (
	"context"
	"fmt"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// LetterReplay replays pages of dead letters. It is not safe for concurrent use.
type LetterReplay struct {
	// AllGroups makes all groups process the messages, not only the one that gave them up.
	AllGroups bool
	// DryRun writes nothing.
	DryRun bool
	// Replayed is the number of letters that were replayed so far, and Known how many of them had
	// been written before, as by an earlier replay whose marks were not stored.
	Replayed, Known int
	// Failed is the number of letters that could not be replayed, and Err the first reason.
	Failed int
	Err    error

	admin *Admin
}

// NewLetterReplay returns a replay that has replayed nothing yet.
func (a *Admin) NewLetterReplay() *LetterReplay { return &LetterReplay{admin: a} }

// Replay writes the letters of a page, as [LetterScan.Next] returns it, back to the topics that
// they come from, and marks them as replayed. Each becomes a new entry with the letter's key. A
// letter is written once, even if it is replayed again within [broker.LetterWindow], because its
// mark could not be stored. The error is not nil if the marks can't be stored. A letter that can't
// be written is counted in Failed.
func (r *LetterReplay) Replay(ctx context.Context, page []DeadLetter) error {
	var letters []DeadLetter
	var replays []broker.Replay
	topics := map[string]found{}
	for _, l := range page {
		topic := r.admin.originOf(ctx, topics, l.Origin.Topic)
		if topic.err != nil {
			r.fail(l, topic.err)
			continue
		}
		letters = append(letters, l)
		replays = append(replays, broker.Replay{
			Topic:  topic.topic,
			ID:     broker.ReplayID(l.Split.Topic, l.Split.Partition, l.Entry.Offset.String(), l.Entry.Fields),
			Fields: l.Letter.Replayed(r.AllGroups),
		})
	}
	if r.DryRun {
		r.Replayed += len(letters)
		return nil
	}
	errs, known := broker.NewReplays(r.admin.client).Write(ctx, replays)
	r.Known += known
	var written []DeadLetter
	for i, l := range letters {
		if errs[i] != nil {
			r.fail(l, errs[i])
			continue
		}
		written = append(written, l)
	}
	r.Replayed += len(written)
	return r.admin.mark(ctx, written)
}

func (r *LetterReplay) fail(l DeadLetter, err error) {
	r.Failed++
	if r.Err == nil {
		r.Err = fmt.Errorf("replaying the letter at offset %s of partition %s: %w", l.Entry.Offset, l.Split, err)
	}
}

// found is a topic, or why it can't be used.
type found struct {
	topic broker.Topic
	err   error
}

// originOf returns the topic that letters come from. It must exist: a replay creates no topic.
func (a *Admin) originOf(ctx context.Context, topics map[string]found, name string) found {
	known, ok := topics[name]
	if !ok {
		known.topic, known.err = a.topics.Describe(ctx, name)
		if known.err == nil && known.topic.Plain() {
			known.err = a.mustExist(ctx, name)
		}
		topics[name] = known
	}
	return known
}

// mark marks letters of one partition as replayed.
func (a *Admin) mark(ctx context.Context, letters []DeadLetter) error {
	if len(letters) == 0 {
		return nil
	}
	split := letters[0].Split
	value, err := markLettersScript.Run(ctx, a.client, letterKeys(split), offsetsOf(letters)...)
	if err != nil {
		return fmt.Errorf("marking letters of partition %s as replayed: %w", split, rediserr.Explain(err))
	}
	if script.ReplyOf(value).Word(0) != "OK" {
		return script.Unexpected(markLettersScript, value)
	}
	return nil
}

func letterKeys(split splits.Split) []string { return []string{split.Key, keys.Replayed(split.Key)} }

func offsetsOf(letters []DeadLetter) []any {
	offsets := make([]any, len(letters))
	for i, l := range letters {
		offsets[i] = l.Entry.Offset.String()
	}
	return offsets
}

// PurgeLetters deletes the letters of a page, as [LetterScan.Next] returns it, with their marks. It
// returns how many of them were there.
func (a *Admin) PurgeLetters(ctx context.Context, page []DeadLetter) (deleted int, err error) {
	if len(page) == 0 {
		return 0, nil
	}
	split := page[0].Split
	value, err := purgeLettersScript.Run(ctx, a.client, letterKeys(split), offsetsOf(page)...)
	if err != nil {
		return 0, fmt.Errorf("deleting letters of partition %s: %w", split, rediserr.Explain(err))
	}
	reply := script.ReplyOf(value)
	if reply.Word(0) != "OK" {
		return 0, script.Unexpected(purgeLettersScript, value)
	}
	n, err := reply.Number(1)
	if err != nil {
		return 0, script.Unreadable(purgeLettersScript, value, err)
	}
	return int(n), nil
}
