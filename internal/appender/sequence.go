package appender

// sequence numbers the appends of one partition. The epoch only grows. In every new epoch the
// numbers start again at 1.
type sequence struct {
	epoch uint64
	// last is the number of the last append of this epoch that the store confirmed.
	last uint64
}

// next returns the numbers of the next append. They stay the same until confirm or newEpoch is
// called.
func (s *sequence) next() (epoch, seq uint64) { return s.epoch, s.last + 1 }

// confirm records that the store holds the append with the numbers of next.
func (s *sequence) confirm() { s.last++ }

// newEpoch begins an epoch above all earlier epochs and above the given one.
func (s *sequence) newEpoch(above uint64) { *s = sequence{epoch: max(s.epoch, above) + 1} }
