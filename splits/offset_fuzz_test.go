package splits

import (
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// number returns the offset as one number of 128 bits.
func (o Offset) number() *big.Int {
	n := new(big.Int).SetUint64(o.Millis)
	return n.Or(n.Lsh(n, 64), new(big.Int).SetUint64(o.Seq))
}

func FuzzOffsetsAreNumbersOf128Bits(f *testing.F) {
	for i, o := range ascending {
		p := ascending[(i+1)%len(ascending)]
		f.Add(o.Millis, o.Seq, p.Millis, p.Seq)
	}
	f.Add(uint64(5), uint64(0), uint64(4), uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, millis, seq, otherMillis, otherSeq uint64) {
		o, p := Offset{millis, seq}, Offset{otherMillis, otherSeq}
		require.Equal(t, o.number().Cmp(p.number()), o.Compare(p))
		require.Equal(t, o.number().Cmp(p.number()) < 0, o.Before(p))
		before := new(big.Int).Sub(o.number(), big.NewInt(1))
		if before.Sign() < 0 {
			before.SetInt64(0)
		}
		require.Zero(t, before.Cmp(o.Prev().number()), "%s comes before %s", o.Prev(), o)
		back, err := ParseOffset(o.String())
		require.NoError(t, err)
		require.Equal(t, o, back)
		require.True(t, Position{Offset: o}.worthStoringOver(Position{Offset: p}) == p.Before(o) || o == p)
	})
}

// Every valid start is between 1970 and now, and reading after the offset before it begins there.
func FuzzParseStart(f *testing.F) {
	for _, text := range []string{
		"earliest", "latest", "2026-01-31T08:00:00Z", "2024-01-31T08:00:00.5+02:00", "1767225600000-7", "1767225600000",
		"0-0", "", "12-",
		"1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "18446744073709551615-1", "+1-0",
		"1900000000000-0",
	} {
		f.Add(text)
	}
	now := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		start, err := ParseStart(text, now)
		if err != nil {
			require.Zero(t, start)
			require.True(
				t,
				strings.Contains(err.Error(), "use earliest") || strings.Contains(err.Error(), "use latest"),
				"no remedy: %s",
				err,
			)
			return
		}
		at, given := start.At()
		require.Equal(t, !given, start.IsEarliest() || start.IsLatest())
		require.LessOrEqual(t, at.Millis, uint64(now.UnixMilli()))
		if moment, err := time.Parse(time.RFC3339, text); err == nil {
			require.Equal(t, uint64(moment.UnixMilli()), at.Millis)
		} else if given {
			same, err := ParseOffset(text)
			require.NoError(t, err)
			require.Equal(t, same, at)
		}
	})
}

// The incarnations of one member have one order, whatever the names are.
func FuzzIncarnationsAreOrdered(f *testing.F) {
	f.Add("host", "host", uint64(1), uint64(2), "a", "b")
	f.Add("host", "host", uint64(1), uint64(1), "a", "b")
	f.Add("a/1-x", "a", uint64(1), uint64(1), "x", "x")
	f.Add("", "/", uint64(0), uint64(18446744073709551615), "z", "0")
	f.Fuzz(func(t *testing.T, member, other string, number, otherNumber uint64, unique, otherUnique string) {
		if !letters(unique) || !letters(otherUnique) {
			return
		}
		a, b := Incarnation(member, number, unique), Incarnation(other, otherNumber, otherUnique)
		gotMember, gotNumber, gotUnique, ok := parseIncarnation(a)
		require.True(t, ok)
		require.Equal(t, []any{member, number, unique}, []any{gotMember, gotNumber, gotUnique})
		switch {
		case member != other || a == b:
			require.False(t, Supersedes(a, b) || Supersedes(b, a))
		default:
			require.NotEqual(t, Supersedes(a, b), Supersedes(b, a))
		}
	})
}

// letters reports whether the text has only letters and digits, and at least one.
func letters(text string) bool {
	return text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}
