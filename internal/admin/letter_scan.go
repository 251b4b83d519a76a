package admin

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// LetterScan reads the dead letters that a LetterQuery selects, page by page. What is written after
// the scan began is not read: a letter that fails again after its replay would never end a scan. It
// is not safe for concurrent use.
type LetterScan struct {
	// Total is the number of entries of the partitions when the scan began, Seen how many of them
	// were read. Entries that the query leaves out by time are not read.
	Total, Seen int64
	// Others is the number of entries that are not dead letters.
	Others int64

	admin  *Admin
	filter letterFilter
	rest   []scanRange
	count  int // entries of the next page
}

// scanRange is what is left to read of a partition.
type scanRange struct {
	split splits.Split
	from  string
	last  splits.Offset
}

// Pages have at most maxPage entries, and about pageBytes bytes.
const (
	firstPage = 10
	maxPage   = 500
	pageBytes = 1 << 20
)

// Next returns the letters of the next page, all of one partition. A page can be empty. done is
// true if there are no more pages.
func (s *LetterScan) Next(ctx context.Context) (page []DeadLetter, done bool, err error) {
	if len(s.rest) == 0 {
		return nil, true, nil
	}
	at := &s.rest[0]
	entries, err := s.admin.log.Range(ctx, at.split, at.from, s.filter.to, s.count)
	if err != nil {
		return nil, false, fmt.Errorf("reading the dead letters of %s: %w", s.filter.Topic, err)
	}
	split, asked := at.split, s.count
	s.adapt(entries)
	var letters []DeadLetter
	ended := len(entries) < asked
	for _, e := range entries {
		if ended = ended || at.last.Before(e.Offset); at.last.Before(e.Offset) {
			break
		}
		s.Seen++
		at.from = "(" + e.Offset.String()
		if letter, ok := broker.ParseLetter(e.Fields); ok {
			letters = append(letters, DeadLetter{Split: split, Entry: Entry{Entry: e}, Letter: letter})
		} else {
			s.Others++
		}
	}
	if ended {
		s.rest = s.rest[1:]
	}
	page, err = s.selected(ctx, split, letters)
	return page, false, err
}

// adapt sets the size of the next page by the size of the last one.
func (s *LetterScan) adapt(entries []splits.Entry) {
	size := 0
	for _, e := range entries {
		size += e.Size()
	}
	switch {
	case size > pageBytes:
		s.count = max(1, s.count/2)
	case size < pageBytes/2:
		s.count = min(maxPage, 2*s.count)
	}
}

// selected returns the letters that the query selects, with the times of their replays.
func (s *LetterScan) selected(ctx context.Context, split splits.Split, letters []DeadLetter) ([]DeadLetter, error) {
	if len(letters) == 0 {
		return nil, nil
	}
	offsets := make([]string, len(letters))
	for i, l := range letters {
		offsets[i] = l.Entry.Offset.String()
	}
	marks := s.admin.client.HMGet(ctx, keys.Replayed(split.Key), offsets...)
	if marks.Err() != nil {
		return nil, replyError(marks)
	}
	var page []DeadLetter
	for i, l := range letters {
		if ms, err := strconv.ParseInt(script.Reply(marks.Val()).Word(i), 10, 64); err == nil {
			l.ReplayedAt = time.UnixMilli(ms)
		}
		if s.filter.selects(l) {
			page = append(page, l)
		}
	}
	return page, nil
}
