package output

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// suspendedJobs keeps the jobs that WriteBatch left because the server is not available. The engine connects
// and then brings the same batch again, but says nothing that would tell it from a new one: a batch
// is recognised by everything that it was made of. Batches that are equal in all that are worth the
// same, so it does no harm if they swap their jobs.
type suspendedJobs struct {
	// count is the number of suspended jobs, readable without the lock.
	count atomic.Int64

	mu   sync.Mutex
	jobs map[fingerprint][]*job
}

// fingerprint identifies the content of a batch.
type fingerprint [sha256.Size]byte

func newSuspendedJobs() *suspendedJobs { return &suspendedJobs{jobs: map[fingerprint][]*job{}} }

// suspend keeps the job of the batch until resume returns it.
func (p *suspendedJobs) suspend(batch service.MessageBatch, j *job) {
	content := takeFingerprint(batch)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.jobs[content] = append(p.jobs[content], j)
	p.count.Add(1)
}

// resume returns the job of an equal batch that was suspended, and forgets it; nil if there is none.
func (p *suspendedJobs) resume(batch service.MessageBatch) *job {
	if p.count.Load() == 0 {
		return nil
	}
	content := takeFingerprint(batch)
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting := p.jobs[content]
	if len(waiting) == 0 {
		return nil
	}
	j := waiting[0]
	if p.jobs[content] = waiting[1:]; len(waiting) == 1 {
		delete(p.jobs, content)
	}
	p.count.Add(-1)
	return j
}

// any reports whether any job is suspended: the engine waits for a connection.
func (p *suspendedJobs) any() bool { return p.count.Load() > 0 }

// takeFingerprint covers the bodies and the metadata of the messages, from which stream_name, key
// and partition follow. It does not cover what these were interpolated to: a key may be a random
// number.
func takeFingerprint(batch service.MessageBatch) fingerprint {
	sum := sha256.New()
	writeNumber(sum, len(batch))
	for _, msg := range batch {
		body, _ := msg.AsBytes()
		writeNumber(sum, len(body))
		_, _ = sum.Write(body) // a hash never fails
		metadata := allMetadata(msg)
		writeNumber(sum, len(metadata))
		for _, m := range metadata {
			writeText(sum, m[0])
			writeText(sum, m[1])
		}
	}
	return fingerprint(sum.Sum(nil))
}

// allMetadata lists the names and values, ordered.
func allMetadata(msg *service.Message) [][2]string {
	var all [][2]string
	_ = msg.MetaWalk(func(key, value string) error {
		all = append(all, [2]string{key, value})
		return nil
	})
	slices.SortFunc(all, func(a, b [2]string) int { return cmp.Compare(a[0], b[0]) })
	return all
}

func writeText(sum hash.Hash, text string) {
	writeNumber(sum, len(text))
	_, _ = sum.Write([]byte(text)) // a hash never fails
}

func writeNumber(sum hash.Hash, n int) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	_, _ = sum.Write(b[:])
}
