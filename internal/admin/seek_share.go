package admin

import (
	"context"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// SoughtShare is what happens to the pending entries of a share group that is moved.
type SoughtShare struct {
	// Pending is the number of entries that were pending. None of them is any more.
	Pending int64 `json:"pending"`
	// Again is how many of these are delivered again, since they are after the new offset: an entry
	// that a member still works on is then processed twice. It counts 10,000 at most. The others
	// are skipped.
	Again int64 `json:"delivered_again"`
}

// seekShares moves the splits of a share group, and returns the results in their order.
func (a *Admin) seekShares(
	ctx context.Context,
	s Seek,
	to splits.Start,
	chosen []splits.Split,
) ([]SeekPartition, error) {
	return a.seekBy(ctx, seekShareScript, keys.Share, decodeSoughtShare, s, to, chosen)
}

// decodeSoughtShare decodes OK before offset read pending again.
func decodeSoughtShare(split splits.Split, words script.Reply) (p SeekPartition, err error) {
	p = SeekPartition{Split: split, Share: &SoughtShare{}}
	if before, err := splits.ParseOffset(words.Word(1)); err == nil { // a seek replaces a damaged offset
		p.Before = &before
	}
	if p.After, err = splits.ParseOffset(words.Word(2)); err != nil {
		return p, err
	}
	for i, number := range []*int64{&p.read, &p.Share.Pending, &p.Share.Again} {
		if *number, err = words.Signed(3 + i); err != nil {
			return p, err
		}
	}
	return p, nil
}
