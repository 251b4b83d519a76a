package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/splits"
)

// LetterQuery selects dead letters. Zero fields select all of them.
type LetterQuery struct {
	// Topic is the dead-letter topic, Partition one of its partitions, negative for all, and Offset
	// the ID of a letter in it.
	Topic     string
	Partition int
	Offset    string
	// Since and Until are when the letter was written: a time (RFC 3339), or a duration such as 2h,
	// which is that long ago. Since is inclusive, Until is not.
	Since, Until string
	// OriginTopic, OriginPartition (negative: all), OriginOffset and Group are where the letter
	// comes from.
	OriginTopic     string
	OriginPartition int
	OriginOffset    string
	Group           string
	// Error is a part of the error, ErrorRegex a regular expression that it matches.
	Error, ErrorRegex string
	// Replayed selects letters that were replayed, or that were not; nil: both.
	Replayed *bool
}

// DeadLetter is an entry of a dead-letter topic.
type DeadLetter struct {
	Split splits.Split
	Entry Entry
	broker.Letter
	// ReplayedAt is when the letter was replayed; zero if it was not.
	ReplayedAt time.Time
}

// Cut returns what commands show of the letter: at most most bytes of each value of the entry, and
// of the fields of the message only the key. So a long list of letters needs little memory.
func (l DeadLetter) Cut(most int) DeadLetter {
	key := l.Key()
	l.Entry, l.Fields = l.Entry.Cut(most), nil
	if key != "" {
		l.Fields = []string{broker.KeyField, key}
	}
	return l
}

// ShortError returns the error, or its beginning of at most most bytes.
func (l DeadLetter) ShortError(most int) string { return splits.CutText(l.Origin.Error, most) }

// letterJSON is the JSON of a DeadLetter. Bytes is the size of the names and values of its entry.
type letterJSON struct {
	Topic      string        `json:"stream_name"`
	Partition  int           `json:"partition_id"`
	Offset     string        `json:"offset"`
	Key        string        `json:"key,omitempty"`
	Bytes      int           `json:"bytes"`
	Origin     broker.Origin `json:"origin"`
	ReplayedMS int64         `json:"replayed_ms,omitempty"`
}

func (l DeadLetter) json() letterJSON {
	j := letterJSON{
		Topic: l.Split.Topic, Partition: l.Split.Partition, Offset: l.Entry.Offset.String(),
		Key: l.Key(), Bytes: l.Entry.Size(), Origin: l.Origin,
	}
	if !l.ReplayedAt.IsZero() {
		j.ReplayedMS = l.ReplayedAt.UnixMilli()
	}
	return j
}

// MarshalJSON writes where the letter is and where it comes from, without its fields.
func (l DeadLetter) MarshalJSON() ([]byte, error) { return json.Marshal(l.json()) }

// ShownLetter is a DeadLetter whose JSON has its fields.
type ShownLetter struct{ DeadLetter }

// MarshalJSON writes the letter with its fields.
func (l ShownLetter) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		letterJSON
		Fields []EntryField `json:"fields"`
	}{l.json(), l.Entry.List()})
}

// letterFilter is a LetterQuery that was checked.
type letterFilter struct {
	LetterQuery
	from, to string // the range of IDs, as XRANGE takes it
	regex    *regexp.Regexp
}

// filter checks the query. now is the server's time.
func (q LetterQuery) filter(now time.Time) (f letterFilter, err error) {
	f = letterFilter{LetterQuery: q, from: "-", to: "+"}
	if q.ErrorRegex != "" {
		if f.regex, err = regexp.Compile(q.ErrorRegex); err != nil {
			return f, fmt.Errorf("error-regex: %w", err)
		}
	}
	if q.Since != "" {
		since, err := momentIn(q.Since, now)
		if err != nil {
			return f, fmt.Errorf("since: %w", err)
		}
		f.from = fmt.Sprint(max(since.UnixMilli(), 0))
	}
	if q.Until != "" {
		until, err := momentIn(q.Until, now)
		if err != nil {
			return f, fmt.Errorf("until: %w", err)
		}
		f.to = fmt.Sprintf("(%d-0", max(until.UnixMilli(), 0))
	}
	if q.OriginOffset != "" {
		o, err := splits.ParseOffset(q.OriginOffset)
		if err != nil {
			return f, fmt.Errorf("origin-offset: %w", err)
		}
		f.OriginOffset = o.String()
	}
	if q.Offset != "" {
		o, err := splits.ParseOffset(q.Offset)
		if err != nil {
			return f, fmt.Errorf("offset: %w", err)
		}
		f.from, f.to = o.String(), o.String()
	}
	return f, nil
}

// momentIn parses a time, or a duration, which is that long ago.
func momentIn(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(strings.TrimPrefix(text, "-")); err == nil {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf(
			"%q is not supported: use a time such as 2026-01-31T08:00:00Z, or a duration such as 2h, "+
				"which is that long ago",
			text,
		)
	}
	return at, nil
}

// selects reports whether the query selects the letter.
func (f letterFilter) selects(l DeadLetter) bool {
	o := l.Origin
	return (f.OriginTopic == "" || f.OriginTopic == o.Topic) &&
		(f.OriginPartition < 0 || f.OriginPartition == o.Partition) &&
		(f.OriginOffset == "" || f.OriginOffset == o.Offset) &&
		(f.Group == "" || f.Group == o.Group) &&
		strings.Contains(o.Error, f.Error) &&
		(f.regex == nil || f.regex.MatchString(o.Error)) &&
		(f.Replayed == nil || *f.Replayed == !l.ReplayedAt.IsZero())
}

// Letters returns a scan of the letters that the query selects, of those that are there now. The
// error is a *TopicNotFoundError if the topic does not exist.
func (a *Admin) Letters(ctx context.Context, q LetterQuery) (*LetterScan, error) {
	if err := keys.ValidateTopic(q.Topic, false); err != nil {
		return nil, err
	}
	scan, err := a.startScan(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("reading the dead letters of %s: %w", q.Topic, err)
	}
	return scan, nil
}

func (a *Admin) startScan(ctx context.Context, q LetterQuery) (*LetterScan, error) {
	now, err := a.now(ctx)
	if err != nil {
		return nil, err
	}
	filter, err := q.filter(time.UnixMilli(now))
	if err != nil {
		return nil, err
	}
	topic, err := a.topics.Describe(ctx, q.Topic)
	if err != nil {
		return nil, err
	}
	var only []int
	if q.Partition >= 0 {
		only = []int{q.Partition}
	}
	chosen, err := chosenSplits(topic, only)
	if err != nil {
		return nil, err
	}
	states, err := a.states(ctx, chosen)
	if err != nil {
		return nil, rediserr.Explain(err)
	}
	if topic.Plain() && !states[0].Exists {
		return nil, &TopicNotFoundError{Topic: q.Topic}
	}
	scan := &LetterScan{admin: a, filter: filter, count: firstPage}
	for i, split := range chosen {
		if states[i].Length > 0 {
			scan.rest = append(scan.rest, scanRange{split, filter.from, states[i].Last})
			scan.Total += states[i].Length
		}
	}
	return scan, nil
}
