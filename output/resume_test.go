package output

import (
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
)

func TestSuspendedJobIsResumedOnce(t *testing.T) {
	p := newSuspendedJobs()
	batch := service.MessageBatch{message("a", "k", "1"), message("b")}
	assert.Nil(t, p.resume(batch))
	j := &job{}
	p.suspend(batch, j)
	assert.True(t, p.any())
	for name, other := range map[string]service.MessageBatch{
		"other body":     {message("x", "k", "1"), message("b")},
		"other metadata": {message("a", "k", "2"), message("b")},
		"no metadata":    {message("a"), message("b")},
		"other order":    {message("b"), message("a", "k", "1")},
		"fewer":          {message("a", "k", "1")},
		"shifted":        {message("a", "k", "1", "b", "")},
		"empty":          {},
	} {
		assert.Nil(t, p.resume(other), name)
	}
	same := service.MessageBatch{message("a", "k", "1"), message("b")}
	assert.Same(t, j, p.resume(same))
	assert.Nil(t, p.resume(same))
	assert.False(t, p.any())
	assert.Empty(t, p.jobs)
}

func TestEqualBatchesHaveTheirOwnJobs(t *testing.T) {
	p := newSuspendedJobs()
	batch := service.MessageBatch{message("a")}
	first, second := &job{}, &job{}
	p.suspend(batch, first)
	p.suspend(batch, second)
	assert.Same(t, first, p.resume(batch))
	assert.True(t, p.any())
	assert.Same(t, second, p.resume(batch))
	assert.False(t, p.any())
}
