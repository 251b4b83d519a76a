//go:build ledger

package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// tail reads the lines of a file while a process writes it. It ignores an unfinished line at the
// end, which a killed process leaves.
type tail struct {
	path string
	at   int64
	rest []byte
}

// next returns the lines that were completed since the last call.
func (f *tail) next(t testing.TB) [][]byte {
	t.Helper()
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing written so far
	}
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.NewSectionReader(file, f.at, 1<<40))
	require.NoError(t, err)
	f.at += int64(len(text))
	text = append(f.rest, text...)
	end := bytes.LastIndexByte(text, '\n')
	f.rest = bytes.Clone(text[end+1:])
	if end < 0 {
		return nil
	}
	return bytes.Split(text[:end], []byte{'\n'})
}

// ackLog holds the numbers of the messages whose writes were acknowledged to a producer.
type ackLog struct {
	file    tail
	numbers []int64
}

func (b *ackLog) refresh(t testing.TB) {
	t.Helper()
	for _, line := range b.file.next(t) {
		n, err := strconv.ParseInt(string(line), 10, 64)
		require.NoError(t, err)
		b.numbers = append(b.numbers, n)
	}
}

// record is one message that a consumer finished.
type record struct {
	Line       int64  `json:"line"`
	Key        string `json:"key"`
	Text       []byte `json:"text"`
	Partition  int    `json:"partition"`
	ID         string `json:"offset"`
	Deliveries int    `json:"deliveries"`
	Nanos      int64  `json:"read"`

	offset splits.Offset
	by     string // the consumer
	index  int    // its line in the ledger
}

func (r record) read() time.Time { return time.Unix(0, r.Nanos) }

// place is where an entry is.
type place struct {
	partition int
	offset    splits.Offset
}

func (r record) place() place { return place{r.Partition, r.offset} }

// written returns when the entry was added, by the clock of the server.
func (r record) written() time.Time { return time.UnixMilli(int64(r.offset.Millis)) }

func (r record) String() string {
	return fmt.Sprintf(
		"line %d of key %s at %d/%s, delivery %d, read by %s at %s",
		r.Line,
		r.Key,
		r.Partition,
		r.ID,
		r.Deliveries,
		r.by,
		r.read().Format("15:04:05.000000"),
	)
}

// consumerLedger is the ledger of one consumer.
type consumerLedger struct {
	by      string
	file    tail
	records []record
	read    int // number of lines read
}

// refresh reads new lines and returns them.
func (l *consumerLedger) refresh(t testing.TB) []record {
	t.Helper()
	from := len(l.records)
	for _, line := range l.file.next(t) {
		r := record{by: l.by, index: l.read}
		l.read++
		require.NoError(t, json.Unmarshal(line, &r), "a line in the ledger of %s: %s", l.by, line)
		var err error
		r.offset, err = splits.ParseOffset(r.ID)
		require.NoError(t, err)
		l.records = append(l.records, r)
	}
	return l.records[from:]
}
