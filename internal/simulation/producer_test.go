package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// producer writes numbered records, each key to one partition.
type producer struct {
	name     string
	world    *world
	rand     *rand.Rand
	network  *network
	away     atomic.Bool
	backoffs atomic.Int64
	*appender.Appender

	splits  []splits.Split // as last seen
	numbers map[string]int // of the latest record, by split and key
	losses  *losses
	results sync.WaitGroup
	late    sync.WaitGroup
}

func (w *world) newProducer(name string) *producer {
	l := w.luck.of("producer", name)
	p := &producer{name: name, world: w, rand: l.rand(), network: w.newNetwork(l), numbers: map[string]int{}}
	p.losses = w.oracle.newLosses(name)
	p.Appender = appender.New(appender.Config{
		Log: &producerLog{p}, Producer: name, Observer: p.losses,
		Backoff: func() appender.Backoff {
			return &patience{left: 1 + int(l.of("patience").nth(int(p.backoffs.Add(1))).chance()*12)}
		},
	})
	return p
}

// patience is a back-off that gives up after some retries.
type patience struct {
	doubling
	left int
}

func (b *patience) NextBackOff() time.Duration {
	if b.left--; b.left < 0 {
		return -1
	}
	return b.doubling.NextBackOff()
}

// write appends a few records.
func (p *producer) write() {
	// A topic without metadata has lost them: it is never taken for a plain one.
	if now := p.world.store.Splits(topicName); now[0].Key != topicName {
		p.splits = now
	}
	all := p.splits
	key := p.name + "k" + strconv.Itoa(p.rand.IntN(p.world.plan.keys))
	s := all[luck{}.of(key).seed%uint64(len(all))]
	records := make([]appender.Record, 1+p.rand.IntN(4))
	ids := make([]*record, len(records))
	p.world.oracle.mu.Lock()
	for i := range records {
		n := p.numbers[s.Key+"/"+key] + 1
		p.numbers[s.Key+"/"+key] = n
		r := &record{
			id:       fmt.Sprintf("%s/%d@%d", key, n, s.Partition),
			key:      key,
			split:    s.Key,
			number:   n,
			producer: p.name,
		}
		if p.rand.IntN(60) == 0 {
			r.failures = 1 + p.rand.IntN(mostFailures)
		}
		p.world.oracle.records[r.id] = r
		ids[i] = r
		records[i] = appender.Record{Fields: []string{"body", r.id, "rafka_key", key}}
	}
	p.world.oracle.mu.Unlock()
	pending := p.Append(appender.Target{Topic: topicName, Partition: s.Partition, Key: s.Key}, records)
	p.results.Go(func() { p.judge(ids, pending.Errs()) })
}

// judge compares what the producer is told with what the oracle knows.
func (p *producer) judge(ids []*record, errs []error) {
	o := p.world.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, r := range ids {
		var err error
		if errs != nil {
			err = errs[i]
		}
		gaveUp, _ := errors.AsType[*appender.GaveUpError](err)
		switch {
		case err == nil && !r.appended:
			o.violated(r.split, "record %s was reported as written, but never was in the stream", r.id)
		case err != nil && (gaveUp == nil || !gaveUp.MayBeWritten) && r.present:
			o.violated(r.split, "record %s was reported as not written (%v), but is there", r.id, err)
		}
		r.written = err == nil
		r.refused = err != nil && (gaveUp == nil || !gaveUp.MayBeWritten)
	}
}

// producerLog is the store as a producer reaches it.
type producerLog struct{ *producer }

func (l *producerLog) Node(t appender.Target) string { return l.world.nodes.of(t.Partition) }

func (l *producerLog) Append(ctx context.Context, round []appender.Append) []appender.Result {
	results := make([]appender.Result, len(round))
	_, way := l.network.draw("round")
	time.Sleep(way.between(50*time.Microsecond, time.Millisecond))
	for i, a := range round {
		results[i] = l.append(ctx, a)
	}
	time.Sleep(way.of("back").between(50*time.Microsecond, time.Millisecond))
	return results
}

func (l *producerLog) append(ctx context.Context, a appender.Append) appender.Result {
	s := splits.Split{Topic: a.Target.Topic, Partition: a.Target.Partition, Key: a.Target.Key}
	if _, away := l.world.nodes.reach([]splits.Split{s}); away || l.away.Load() {
		return appender.Result{Status: appender.Unknown, Err: splitstest.ErrOutage}
	}
	f, luck := l.network.draw("append")
	switch f {
	case requestLost:
		l.world.tally.hit("lost append")
		return appender.Result{Status: appender.Unknown, Err: errLostRequest}
	case replyLost:
		l.world.tally.hit("append without reply")
		l.applyUnheard(a, l.losses.history(s.Key))
		return appender.Result{Status: appender.Unknown, Err: errLostReply}
	case late:
		l.world.tally.hit("late append")
		history := l.losses.history(s.Key)
		l.late.Go(func() {
			time.Sleep(luck.of("late").between(0, 2*l.world.plan.ttl))
			l.applyUnheard(a, history)
		})
		return appender.Result{Status: appender.Unknown, Err: errLostRequest}
	case slow:
		if luck.of("failed").chance() < 0.3 {
			l.world.tally.hit("failed append")
			return appender.Result{Status: appender.Failed, Err: errors.New("simulation: failed")}
		}
		l.world.tally.hit("refused append")
		return appender.Result{Status: appender.Refused, Err: errors.New("simulation: refused")}
	}
	history := l.losses.history(s.Key)
	result := l.apply(a, history)
	if f == replySlow {
		l.world.tally.hit("slow reply")
		time.Sleep(luck.of("slow").between(0, l.world.plan.heartbeat))
	}
	l.losses.answered(s.Key, history, result)
	return result
}

// applyUnheard is apply for a request whose answer nobody hears. One that is written tells what the
// store knew before, and nothing else does.
func (l *producerLog) applyUnheard(a appender.Append, history int) {
	if l.apply(a, history).Status == appender.Written {
		l.world.oracle.mu.Lock()
		defer l.world.oracle.mu.Unlock()
		l.losses.unnoticed(a.Target.Key)
	}
}

// apply carries out a request that was sent in a history of the partition.
func (l *producerLog) apply(a appender.Append, history int) appender.Result {
	o := l.world.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	s := splits.Split{Topic: a.Target.Topic, Partition: a.Target.Partition, Key: a.Target.Key}
	fields, ids := make([][]string, len(a.Records)), make([]string, len(a.Records))
	for i, r := range a.Records {
		fields[i], ids[i] = r.Fields, r.Fields[1]
	}
	answer := o.store.AppendNumbered(s, a.Producer, a.Epoch, a.Seq, fields)
	stored := appender.Number{Epoch: answer.Epoch, Seq: answer.Seq}
	if stored == (appender.Number{}) {
		l.losses.unnoticed(s.Key) // it may have forgotten a producer that was idle: that is no loss
	}
	switch answer.Verdict {
	case splitstest.AppendDuplicate:
		return appender.Result{Status: appender.Duplicate}
	case splitstest.AppendStale:
		return appender.Result{Status: appender.Stale, Epoch: answer.Epoch, Err: errors.New("simulation: stale")}
	case splitstest.AppendGap:
		l.world.tally.hit("(gap)")
		return appender.Result{Status: appender.Gap, Stored: stored, Err: errors.New("simulation: gap")}
	}
	o.note(l.name, s.Key, "appended in epoch %d, number %d: %v", a.Epoch, a.Seq, ids)
	o.appended(s, ids, answer.Offsets, history != l.losses.histories[s.Key])
	return appender.Result{Status: appender.Written, Stored: stored}
}
