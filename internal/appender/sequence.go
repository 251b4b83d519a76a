package appender

// sequence numbers the appends of one partition. The epoch only grows, and with every new epoch the
// numbers start again at 1.
type sequence struct {
	epoch uint64
	// last is the number of the last append of this epoch that the store has confirmed.
	last uint64
}

// next returns the numbers for the next append. Until one is confirmed they stay the same.
func (s *sequence) next() (epoch, seq uint64) { return s.epoch, s.last + 1 }

// confirm says that the store holds the append that got its numbers from next.
func (s *sequence) confirm() { s.last++ }

// newEpoch begins a new epoch, higher than any before and than the given one.
func (s *sequence) newEpoch(above uint64) { *s = sequence{epoch: max(s.epoch, above) + 1} }
