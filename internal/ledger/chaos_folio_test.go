//go:build ledger

package ledger

import "math/bits"

// folio is what is known of the numbers of one producer: a few bits each.
type folio struct {
	keys       []string
	partitions []int // of each key
	// Whether a number was acknowledged to the producer, stands in its stream, is in a consumer's
	// ledger, and has been judged.
	acknowledged, stands, out, judged numbers
	newest                            []int64     // in the stream, of each key
	latest                            []firstRead // of each key
}

// firstRead is the first delivery of a number.
type firstRead struct {
	line  int64
	by    string
	place int // in that consumer's ledger
}

func newFolio(i, partitions int) *folio {
	f := &folio{
		keys:   keysOf(producerName(i)),
		newest: make([]int64, producerKeys),
		latest: make([]firstRead, producerKeys),
	}
	for _, key := range f.keys {
		f.partitions = append(f.partitions, kafkaPartition(key, partitions))
	}
	return f
}

// key is the index of a number's key.
func (f *folio) key(line int64) int { return int(line % int64(len(f.keys))) }

// numbers is a set of small numbers.
type numbers []uint64

// add reports whether the number is new.
func (s *numbers) add(n int64) bool {
	for int64(len(*s)) <= n/64 {
		*s = append(*s, 0)
	}
	word, bit := &(*s)[n/64], uint64(1)<<(n%64)
	fresh := *word&bit == 0
	*word |= bit
	return fresh
}

func (s numbers) len() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// without returns the numbers that others does not have.
func (s numbers) without(others numbers) (found []int64) {
	for i, word := range s {
		if i < len(others) {
			word &^= others[i]
		}
		for ; word != 0; word &= word - 1 {
			found = append(found, int64(i*64+bits.TrailingZeros64(word)))
		}
	}
	return found
}
