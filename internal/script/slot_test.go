package script_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
)

func TestSlotOfIsTheCluster(t *testing.T) {
	s := scripttest.Server{Client: redistest.Start(t, "--cluster-enabled", "yes").Client(t)}
	keys := []string{
		"123456789",
		"foo",
		"bar",
		"{user}:1",
		"{}x",
		"{",
		"a{b}c{d}",
		"x{}y{z}",
		"{a",
		"orders:3",
		"\xff\x00",
	}
	for _, key := range keys {
		want, err := s.Client.ClusterKeySlot(t.Context(), key).Result()
		require.NoError(t, err)
		assert.EqualValues(t, want, script.SlotOf(key), "%q", key)
	}
	// The reference of the specification: CRC16("123456789") is 0x31C3.
	assert.Equal(t, 0x31C3, script.SlotOf("123456789"))
	assert.Equal(
		t,
		[]int{12182, 5061, 5474},
		[]int{script.SlotOf("foo"), script.SlotOf("bar"), script.SlotOf("{user}:1")},
	)
	assert.Equal(t, script.SlotOf("b"), script.SlotOf("a{b}c{d}"))
}
