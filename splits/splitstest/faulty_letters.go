package splitstest

import (
	"context"

	"github.com/rafka-streams/rafka/splits"
)

// WriteLetter is the method of splits.Letters.
const WriteLetter Method = "WriteLetter"

// Letters wraps a splits.Letters.
func (f *Faults) Letters(inner splits.Letters) splits.Letters { return &faultyLetters{inner, f} }

type faultyLetters struct {
	inner  splits.Letters
	faults *Faults
}

func (f *faultyLetters) Write(ctx context.Context, l splits.Letter) error {
	var written error
	if err := f.faults.run(ctx, Call{Method: WriteLetter}, func(ctx context.Context) {
		written = f.inner.Write(ctx, l)
	}); err != nil {
		return err
	}
	return written
}
