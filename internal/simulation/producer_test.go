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
	schedule *schedule
	rand     *rand.Rand
	network  *network
	cutOff   atomic.Bool
	backoffs atomic.Int64
	*appender.Appender

	splits  []splits.Split // as last seen
	numbers map[string]int // of the latest record, by split and key
	losses  *losses
	results sync.WaitGroup
	late    sync.WaitGroup
}

func (sc *schedule) newProducer(name string) *producer {
	l := sc.rng.of("producer", name)
	p := &producer{
		name:     name,
		schedule: sc,
		rand:     l.rand(),
		network:  newNetwork(l, sc.plan, sc.counts, &sc.badNetwork, sc.nodes),
		numbers:  map[string]int{},
	}
	p.losses = sc.oracle.newLosses(name)
	p.Appender = appender.New(appender.Config{
		Store: &producerLog{p}, Producer: name, Observer: p.losses,
		Backoff: func() appender.Backoff {
			return &limitedBackoff{left: 1 + int(l.of("patience").nth(int(p.backoffs.Add(1))).chance()*12)}
		},
	})
	return p
}

// limitedBackoff is a back-off that gives up after some retries.
type limitedBackoff struct {
	doubling
	left int
}

func (b *limitedBackoff) NextBackOff() time.Duration {
	if b.left--; b.left < 0 {
		return -1
	}
	return b.doubling.NextBackOff()
}

// write appends a few records.
func (p *producer) write() {
	// A partitioned topic without metadata has lost it: producers never take it for a plain topic.
	if now := p.schedule.store.Splits(topicName); now[0].Key != topicName {
		p.splits = now
	}
	all := p.splits
	key := p.name + "k" + strconv.Itoa(p.rand.IntN(p.schedule.plan.keys))
	s := all[rng{}.of(key).seed%uint64(len(all))]
	records := make([]appender.Record, 1+p.rand.IntN(4))
	ids := make([]*record, len(records))
	p.schedule.oracle.mu.Lock()
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
		switch p.rand.IntN(60) {
		case 0:
			r.failures = 1 + p.rand.IntN(mostFailures)
		case 1:
			r.unfit = p.schedule.plan.deadLetters
		}
		r.killer = p.schedule.oracle.killers.draw(p.rand)
		p.schedule.oracle.records[r.id] = r
		ids[i] = r
		records[i] = appender.Record{Fields: []string{"body", r.id, "rafka_key", key}}
	}
	p.schedule.oracle.mu.Unlock()
	pending := p.Append(appender.Target{Topic: topicName, Partition: s.Partition, Key: s.Key}, records)
	p.results.Go(func() { p.check(ids, pending.Errs()) })
}

// check compares the outcomes that the producer received with the oracle's model.
func (p *producer) check(ids []*record, errs []error) {
	o := p.schedule.oracle
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
			o.violated(r.split, "record %s was reported as written, but was never in the stream", r.id)
		case err != nil && (gaveUp == nil || !gaveUp.MayBeWritten) && r.present:
			o.violated(r.split, "record %s was reported as not written (%v), but is in the stream", r.id, err)
		}
		r.written = err == nil
		r.reportedNotWritten = err != nil && (gaveUp == nil || !gaveUp.MayBeWritten)
	}
}

// producerLog is the connection of a producer to the store.
type producerLog struct{ *producer }

func (l *producerLog) Node(t appender.Target) string { return l.schedule.nodes.of(t.Partition) }

func (l *producerLog) Append(ctx context.Context, round []appender.Request) []appender.Result {
	results := make([]appender.Result, len(round))
	_, draws := l.network.draw("round")
	time.Sleep(draws.between(50*time.Microsecond, time.Millisecond))
	for i, a := range round {
		results[i] = l.append(ctx, a)
	}
	time.Sleep(draws.of("back").between(50*time.Microsecond, time.Millisecond))
	return results
}

func (l *producerLog) append(ctx context.Context, a appender.Request) appender.Result {
	s := splits.Split{Topic: a.Target.Topic, Partition: a.Target.Partition, Key: a.Target.Key}
	if _, down := l.schedule.nodes.reach([]splits.Split{s}); down || l.cutOff.Load() {
		return appender.Result{Status: appender.Unknown, Err: splitstest.ErrOutage}
	}
	f, draws := l.network.draw("append")
	switch f {
	case requestLost:
		l.schedule.counts.count("lost append")
		return appender.Result{Status: appender.Unknown, Err: errLostRequest}
	case replyLost:
		l.schedule.counts.count("append without reply")
		l.applyUnheard(a, l.losses.history(s.Key))
		return appender.Result{Status: appender.Unknown, Err: errLostReply}
	case late:
		l.schedule.counts.count("late append")
		history := l.losses.history(s.Key)
		l.late.Go(func() {
			time.Sleep(draws.of("late").between(0, 2*l.schedule.plan.ttl))
			l.applyUnheard(a, history)
		})
		return appender.Result{Status: appender.Unknown, Err: errLostRequest}
	case slow:
		if draws.of("failed").chance() < 0.3 {
			l.schedule.counts.count("failed append")
			return appender.Result{Status: appender.Failed, Err: errors.New("simulation: failed")}
		}
		l.schedule.counts.count("refused append")
		return appender.Result{Status: appender.Refused, Err: errors.New("simulation: refused")}
	}
	history := l.losses.history(s.Key)
	result := l.apply(a, history)
	if f == replySlow {
		l.schedule.counts.count("slow reply")
		time.Sleep(draws.of("slow").between(0, l.schedule.plan.heartbeat))
	}
	l.losses.noteReply(s.Key, history, result)
	return result
}

// applyUnheard applies a request whose reply is lost. If the request was written, the producer can
// no longer learn which number the store had before; otherwise it still can.
func (l *producerLog) applyUnheard(a appender.Request, history int) {
	if l.apply(a, history).Status == appender.Written {
		l.schedule.oracle.mu.Lock()
		defer l.schedule.oracle.mu.Unlock()
		l.losses.noteUnnoticeable(a.Target.Key)
	}
}

// apply applies a request that was sent in the given history of the partition.
func (l *producerLog) apply(a appender.Request, history int) appender.Result {
	o := l.schedule.oracle
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
		l.losses.noteUnnoticeable(s.Key) // the store may forget an idle producer: that is not a loss
	}
	switch answer.Verdict {
	case splitstest.AppendDuplicate:
		return appender.Result{Status: appender.Duplicate}
	case splitstest.AppendStale:
		return appender.Result{Status: appender.Stale, Epoch: answer.Epoch, Err: errors.New("simulation: stale")}
	case splitstest.AppendGap:
		l.schedule.counts.count("(gap)")
		return appender.Result{Status: appender.Gap, Stored: stored, Err: errors.New("simulation: gap")}
	}
	o.note(l.name, s.Key, "appended in epoch %d, number %d: %v", a.Epoch, a.Seq, ids)
	o.checkAppend(s, ids, answer.Offsets, history != l.losses.histories[s.Key])
	return appender.Result{Status: appender.Written, Stored: stored}
}
