package appender

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSequence(t *testing.T) {
	s := sequence{epoch: 1}
	next := func() [2]uint64 {
		epoch, seq := s.next()
		return [2]uint64{epoch, seq}
	}
	assert.Equal(t, [2]uint64{1, 1}, next())
	assert.Equal(t, [2]uint64{1, 1}, next(), "a number that was not confirmed is used again")
	s.confirm()
	assert.Equal(t, [2]uint64{1, 2}, next())
	s.newEpoch(0)
	assert.Equal(t, [2]uint64{2, 1}, next())
	s.newEpoch(7)
	assert.Equal(t, [2]uint64{8, 1}, next())
	s.newEpoch(7)
	assert.Equal(t, [2]uint64{9, 1}, next(), "an epoch is never used again")
}
