package splitstest

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// lettersFunc is a splits.Letters.
type lettersFunc func() error

func (f lettersFunc) Write(context.Context, splits.Letter) error { return f() }

func TestFaultsOfLetters(t *testing.T) {
	var faults Faults
	written, refused, lost := 0, errors.New("refused"), errors.New("lost")
	var answer error
	letters := faults.Letters(lettersFunc(func() error {
		written++
		return answer
	}))
	require.NoError(t, letters.Write(t.Context(), splits.Letter{}))
	answer = refused
	require.ErrorIs(t, letters.Write(t.Context(), splits.Letter{}), refused)
	answer = nil
	faults.Next(WriteLetter, Fault{Fail: lost}, Fault{Lose: lost})
	require.ErrorIs(t, letters.Write(t.Context(), splits.Letter{}), lost)
	assert.Equal(t, 2, written, "the request was lost")
	require.ErrorIs(t, letters.Write(t.Context(), splits.Letter{}), lost)
	assert.Equal(t, 3, written, "the answer was lost")
	faults.Outage(true)
	require.ErrorIs(t, letters.Write(t.Context(), splits.Letter{}), ErrOutage)
	assert.Equal(t, 3, written)
}
