package broker

import (
	"context"
	"strconv"

	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// Suspect implements splits.Shares.
func (s *Shares) Suspect(ctx context.Context, suspects []splits.ShareSuspects) []error {
	calls := make([]script.Call, len(suspects))
	for i, one := range suspects {
		calls[i] = shareSuspectScript.Begin(s.keys(one.Split), 5+len(one.Offsets))
		calls[i].Add(s.group)
		calls[i].Add(strconv.FormatUint(one.Generation, 10))
		calls[i].Add(s.consumer(one.Member))
		calls[i].Add(one.Turn)
		calls[i].Add(flights[one.Flight])
		for _, o := range one.Offsets {
			calls[i].Add(o.String())
		}
	}
	errs := make([]error, len(suspects))
	for i, reply := range script.RunAll(ctx, s.control, calls) {
		words, err := decodeShare(shareSuspectScript, reply)
		if err == nil && words.Word(0) == "STALE" {
			err = splits.ErrStale
		}
		errs[i] = wrapShare("storing what is in flight of", suspects[i].Split, err)
	}
	return errs
}

// Survive implements splits.Shares.
func (s *Shares) Survive(ctx context.Context, survivors []splits.ShareSurvivor) []error {
	calls := make([]script.Call, len(survivors))
	for i, one := range survivors {
		calls[i] = shareSurviveScript.Call(s.keys(one.Split), s.group, s.consumer(one.Member), one.Turn)
	}
	errs := make([]error, len(survivors))
	for i, reply := range script.RunAll(ctx, s.control, calls) {
		_, err := decodeShare(shareSurviveScript, reply)
		errs[i] = wrapShare("taking back a death in", survivors[i].Split, err)
	}
	return errs
}
