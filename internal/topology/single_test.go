package topology

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestUnixSocketWorksLikeAPort(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	d := deployment{fields: "url: unix://" + s.Socket(), topic: "orders", partitions: 4}
	consumers := newConsumers()
	consumers.join(t, "ann", d)
	require.NoError(t, startWriter(t, d).write(t.Context(), 1000))
	consumers.await(t, 1000)
	awaitLagZero(t, s.Client(t), d, 1000)
	assert.Zero(t, consumers.repeated())
}
