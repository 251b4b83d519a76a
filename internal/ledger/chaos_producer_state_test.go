//go:build ledger

package ledger

import "math/bits"

// producerState holds a few bits for each number of one producer.
type producerState struct {
	keys       []string
	partitions []int // of each key
	// The numbers that were acknowledged to the producer, and that are in the streams.
	acknowledged, inStream numbers
	newestWritten          []int64 // highest number in the stream, of each key
}

func newProducerState(i, partitions int) *producerState {
	s := &producerState{keys: keysOf(producerName(i)), newestWritten: make([]int64, producerKeys)}
	for _, key := range s.keys {
		s.partitions = append(s.partitions, kafkaPartition(key, partitions))
	}
	return s
}

// key returns the index of a number's key.
func (s *producerState) key(line int64) int { return int(line % int64(len(s.keys))) }

// readState holds what one group has read of one producer: a few bits for each number.
type readState struct {
	// The numbers that are in a ledger, that were checked, and whose entries the test itself trimmed
	// before they were in a ledger.
	read, checked, trimmed numbers
	latestRead             []firstRead // of each key
}

// firstRead is the first delivery of a number.
type firstRead struct {
	line  int64
	by    string
	index int // in that consumer's ledger
}

// numbers is a set of small numbers.
type numbers []uint64

// add adds a number, and reports whether it is new.
func (s *numbers) add(n int64) bool {
	for int64(len(*s)) <= n/64 {
		*s = append(*s, 0)
	}
	word, bit := &(*s)[n/64], uint64(1)<<(n%64)
	fresh := *word&bit == 0
	*word |= bit
	return fresh
}

func (s numbers) has(n int64) bool { return n/64 < int64(len(s)) && s[n/64]&(1<<(n%64)) != 0 }

func (s numbers) len() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// without returns the numbers that are not in others.
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
