package appender

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// numbered returns n small records, with consecutive numbers that begin at from.
func numbered(from, n int) []Record {
	records := make([]Record, n)
	for i := range records {
		records[i] = Record{Fields: []string{"body", strconv.Itoa(from + i)}}
	}
	return records
}

// sized returns one record of each size.
func sized(sizes ...int) []Record {
	records := make([]Record, len(sizes))
	for i, n := range sizes {
		records[i] = Record{Fields: []string{"b", strings.Repeat("x", n-1)}}
	}
	return records
}

// batchSizes returns how many records each batch takes if the calls append these records.
func batchSizes(calls ...[]Record) (counts []int) {
	q := &queue{sequence: sequence{epoch: 1}}
	for _, records := range calls {
		q.push(newPending(to("p"), records))
	}
	for !q.empty() {
		q.next("me")
		q.batch.assemble()
		counts = append(counts, len(q.batch.Records))
		q.apply(q.batch.decide(Result{}, &Config{}))
	}
	return counts
}

func TestBatchEndsAtItsLimits(t *testing.T) {
	const mib = 1 << 20
	for name, test := range map[string]struct {
		calls [][]Record
		want  []int
	}{
		"all in one":          {[][]Record{numbered(0, 300), numbered(0, 700)}, []int{1000}},
		"one record too many": {[][]Record{numbered(0, 300), numbered(0, 701)}, []int{1000, 1}},
		"one call of many":    {[][]Record{numbered(0, 2001)}, []int{1000, 1000, 1}},
		"calls divided anywhere": {
			[][]Record{numbered(0, 900), numbered(0, 900), numbered(0, 900)},
			[]int{1000, 1000, 700},
		},
		"a full MiB":                       {[][]Record{sized(mib/2, mib/2)}, []int{2}},
		"a byte more":                      {[][]Record{sized(mib/2, mib/2+1)}, []int{1, 1}},
		"a byte more, from two calls":      {[][]Record{sized(mib / 2), sized(mib/2 + 1)}, []int{1, 1}},
		"a record of exactly a MiB":        {[][]Record{sized(mib, 1)}, []int{1, 1}},
		"a larger record goes alone":       {[][]Record{sized(1, 2*mib, 1, 1)}, []int{1, 1, 2}},
		"a larger record first":            {[][]Record{sized(2 * mib), sized(1, 1)}, []int{1, 2}},
		"larger records go one by one":     {[][]Record{sized(2*mib, 3*mib)}, []int{1, 1}},
		"a record without fields is small": {[][]Record{sized(mib), {{}}}, []int{2}},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, batchSizes(test.calls...)) })
	}
}

func TestRecordsThatArriveMeanwhileJoinTheNextBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.took[""] = time.Second
		a := running(t, Config{Store: s, Producer: "me"})
		var all []*Pending
		for i := range 10 {
			all = append(all, a.Append(to("p"), numbered(i, 1)))
			synctest.Wait()
		}
		for _, p := range all {
			assert.Nil(t, p.Errs())
		}
		assert.Equal(t, [][]string{{"0"}, {"1", "2", "3", "4", "5", "6", "7", "8", "9"}}, s.bodies("p"))
	})
}

func TestNothingJoinsARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.faults("p", fault{status: Unknown}, fault{replyLost: true}, fault{status: Gap}, fault{status: Refused})
		a := running(t, Config{Store: s, Producer: "me", Backoff: backoff(time.Second, -1)})
		a.Append(to("p"), recs("a", "b"))
		synctest.Wait()
		last := a.Append(to("p"), recs("c"))
		assert.Nil(t, last.Errs())
		ab := []string{"a", "b"}
		assert.Equal(t, [][]string{ab, ab, ab, ab, ab, {"c"}}, s.bodies("p"))
	})
}

func TestBatchHasOneTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		a := New(Config{Store: s, Producer: "me"})
		plain := Target{Topic: "t:1", Key: "t:1", Plain: true}
		part := Target{Topic: "t", Partition: 1, Key: "t:1"}
		a.Append(plain, recs("a"))
		a.Append(part, recs("b"))
		last := a.Append(part, recs("c"))
		a.Start()
		assert.Nil(t, last.Errs())
		assert.Equal(t, [][]string{{"a"}, {"b", "c"}}, s.bodies("t:1"))
		assert.Equal(t, []string{"1:1", "1:2"}, s.numbers("t:1"), "both targets of a key share its sequence")
		assert.NoError(t, a.Close(t.Context()))
	})
}

func TestPartitionedFailsQueuedRecordsOfTheSameTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.faults("t", fault{status: Partitioned})
		a := New(Config{Store: s, Producer: "me"})
		plain := Target{Topic: "t", Key: "t", Plain: true}
		first := a.Append(plain, numbered(0, 1500))
		second := a.Append(plain, recs("x"))
		other := a.Append(Target{Topic: "t", Key: "t"}, recs("y"))
		a.Start()
		for _, p := range []*Pending{first, second} {
			for _, err := range p.Errs() {
				assert.Equal(t, ErrPartitioned, err)
			}
		}
		assert.Len(t, first.Errs(), 1500)
		assert.Nil(t, other.Errs())
		assert.Equal(t, []string{"y"}, s.entries("t"))
		assert.NoError(t, a.Close(t.Context()))
	})
}

func TestIdleQueueHoldsNoRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		a := running(t, Config{Store: s, Producer: "me"})
		for range 3 {
			var all []*Pending
			for i := range 500 {
				all = append(all, a.Append(to("p"), numbered(i, 3)))
			}
			for _, p := range all {
				assert.Nil(t, p.Errs())
				assert.Nil(t, p.records)
			}
			synctest.Wait()
			q := a.queues["p"]
			assert.Equal(t, idle, q.phase)
			assert.LessOrEqual(t, cap(q.pendings), maxKept)
			assert.LessOrEqual(t, cap(q.batch.segments), maxKept)
			assert.Nil(t, q.batch.Records)
			for _, p := range q.pendings[:cap(q.pendings)] {
				assert.Nil(t, p)
			}
			for _, p := range q.batch.segments[:cap(q.batch.segments)] {
				assert.Zero(t, p)
			}
		}
	})
}

func TestLongQueueFreesItsHead(t *testing.T) {
	q := &queue{}
	for i := range 10000 {
		q.push(newPending(to("p"), numbered(i, 1)))
		if i >= 100 {
			p := q.pendings[q.head]
			q.pop()
			assert.Equal(t, strconv.Itoa(i-100), p.records[0].Fields[1])
		}
	}
	assert.Less(t, cap(q.pendings), 1000)
}
