package output

import (
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
)

func TestParkedJobIsClaimedOnceByItsBatch(t *testing.T) {
	p := newParking()
	batch := service.MessageBatch{message("a", "k", "1"), message("b")}
	assert.Nil(t, p.claim(batch))
	j := &job{}
	p.park(batch, j)
	assert.True(t, p.occupied())
	for name, other := range map[string]service.MessageBatch{
		"other body":     {message("x", "k", "1"), message("b")},
		"other metadata": {message("a", "k", "2"), message("b")},
		"no metadata":    {message("a"), message("b")},
		"other order":    {message("b"), message("a", "k", "1")},
		"fewer":          {message("a", "k", "1")},
		"shifted":        {message("a", "k", "1", "b", "")},
		"empty":          {},
	} {
		assert.Nil(t, p.claim(other), name)
	}
	same := service.MessageBatch{message("a", "k", "1"), message("b")}
	assert.Same(t, j, p.claim(same))
	assert.Nil(t, p.claim(same))
	assert.False(t, p.occupied())
	assert.Empty(t, p.jobs)
}

func TestEqualBatchesHaveTheirOwnJobs(t *testing.T) {
	p := newParking()
	batch := service.MessageBatch{message("a")}
	first, second := &job{}, &job{}
	p.park(batch, first)
	p.park(batch, second)
	assert.Same(t, first, p.claim(batch))
	assert.True(t, p.occupied())
	assert.Same(t, second, p.claim(batch))
	assert.False(t, p.occupied())
}
