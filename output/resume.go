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

// suspendedJobs keeps the jobs of batches that WriteBatch left because the server was not
// available. After connecting, the engine passes the same batch again, but does not mark it as a
// repeated one. So a batch is recognized by its content. Batches with equal content are
// interchangeable, so it does no harm if they swap jobs.
type suspendedJobs struct {
	// count is the number of suspended jobs, readable without the lock.
	count atomic.Int64

	mu   sync.Mutex
	jobs map[fingerprint][]*job
}

// fingerprint identifies the content of a batch.
type fingerprint [sha256.Size]byte

func newSuspendedJobs() *suspendedJobs { return &suspendedJobs{jobs: map[fingerprint][]*job{}} }

// suspend keeps the job of the batch for resume.
func (s *suspendedJobs) suspend(batch service.MessageBatch, j *job) {
	content := takeFingerprint(batch)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[content] = append(s.jobs[content], j)
	s.count.Add(1)
}

// resume removes and returns the job of a suspended batch with equal content, or nil if there is
// none.
func (s *suspendedJobs) resume(batch service.MessageBatch) *job {
	if s.count.Load() == 0 {
		return nil
	}
	content := takeFingerprint(batch)
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := s.jobs[content]
	if len(waiting) == 0 {
		return nil
	}
	j := waiting[0]
	if s.jobs[content] = waiting[1:]; len(waiting) == 1 {
		delete(s.jobs, content)
	}
	s.count.Add(-1)
	return j
}

// any reports whether any job is suspended, which means that the engine waits for a connection.
func (s *suspendedJobs) any() bool { return s.count.Load() > 0 }

// takeFingerprint hashes the bodies and the metadata of the messages. It does not hash the
// interpolated fields, which can differ from one evaluation to the next, as a random key does.
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

// allMetadata returns the metadata keys and values, sorted.
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
