package splits

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

var poisonEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func suspectAt(ms uint64, f Flight) Suspect { return Suspect{UpTo: Offset{Millis: ms}, Flight: f} }

// claimedPoison is the poison after a claim: deaths are the entries of Granted.Deaths.
func claimedPoison(attempts int, upTo uint64, deaths ...uint64) poison {
	c := claimedSplit{attempts: attempts, suspect: suspectAt(upTo, NotInFlight)}
	for _, ms := range deaths {
		c.deaths = append(c.deaths, Offset{Millis: ms})
	}
	return newPoison(c)
}

// store is a commit that the store has applied.
func (p *poison) store() { p.sent(p.send()) }

func wantSuspect(t *testing.T, p *poison, want Suspect) {
	t.Helper()
	got := p.want()
	assert.Equal(t, want, got)
}

// start hands out the entry or batch up to an offset, after the store knows of it.
func (p *poison) start(last uint64, entries int) {
	p.prepare(Offset{Millis: last}, entries, false, poisonEpoch)
	p.store()
	p.handedOut(true, poisonEpoch, time.Minute)
}

func TestSuspicionBeginsWithTheSecondTakeover(t *testing.T) {
	p := claimedPoison(1, 0)
	assert.False(t, p.suspects())
	assert.Zero(t, p.send(), "the stored suspect stays")
	p = claimedPoison(2, 0)
	assert.True(t, p.suspects())
	assert.Equal(t, 500, p.limit(500))
	p.start(9, 500)
	assert.Equal(t, suspectAt(9, InFlight), p.stored)
	p = claimedPoison(0, 9)
	assert.Equal(t, 1, p.limit(500))
	p.start(7, 1)
	assert.Equal(t, suspectAt(7, InFlightAlone), p.stored)
	p = claimedPoison(0, 0, 7, 12, 7)
	assert.Equal(t, 1, p.limit(500))
	wantSuspect(t, &p, suspectAt(12, NotInFlight))
	assert.Equal(t, 2, p.takeDeaths(Offset{Millis: 7}))
	assert.Zero(t, p.takeDeaths(Offset{Millis: 7}))
}

func TestKillerWaitsLongerAfterEachDeath(t *testing.T) {
	for deaths, want := range map[int]time.Duration{
		3: time.Minute, 4: 2 * time.Minute, 8: 32 * time.Minute, 9: time.Hour, 1000: time.Hour,
	} {
		assert.Equal(t, want, killerWait(deaths), "%d deaths", deaths)
	}
}

func TestNothingIsHandedOutBeforeTheStoreHasTheSuspect(t *testing.T) {
	p := claimedPoison(2, 9)
	assert.True(t, p.free())
	p.prepare(Offset{Millis: 7}, 1, false, poisonEpoch)
	assert.False(t, p.ready())
	assert.False(t, p.free())
	p.store()
	assert.True(t, p.ready())
	assert.True(t, p.exposed)
	assert.False(t, p.free(), "it is about to be in flight")
	p.handedOut(true, poisonEpoch, time.Minute)
	p.cameBack()
	assert.False(t, p.free(), "the store says that it is in flight")
	wantSuspect(t, &p, suspectAt(9, NotInFlight))
	p.store()
	assert.False(t, p.exposed)
	assert.True(t, p.free())
}

func TestEachCommitOfASuspectHasALaterTurn(t *testing.T) {
	p := claimedPoison(2, 9)
	first, second := p.send(), p.send()
	assert.Equal(t, 1, first.Turn)
	assert.Equal(t, 2, second.Turn)
}

func TestSuspectThatHangsIsNotAloneAnyMore(t *testing.T) {
	p := claimedPoison(2, 7)
	p.start(7, 1)
	p.watch(poisonEpoch.Add(aloneFor - 1))
	wantSuspect(t, &p, suspectAt(7, InFlightAlone))
	p.watch(poisonEpoch.Add(aloneFor))
	wantSuspect(t, &p, suspectAt(7, InFlight))
	assert.False(t, p.free())
	p.store()
	assert.True(t, p.free())
}

func TestSuspectThatIsNotFetchedKeepsNothingBack(t *testing.T) {
	p := claimedPoison(2, 7)
	p.prepare(Offset{Millis: 7}, 1, false, poisonEpoch)
	p.prepare(Offset{Millis: 7}, 1, false, poisonEpoch.Add(holdFor-1))
	assert.False(t, p.watch(poisonEpoch.Add(holdFor-1)))
	assert.True(t, p.watch(poisonEpoch.Add(holdFor)))
	wantSuspect(t, &p, suspectAt(7, NotInFlight))
}

func TestSuspicionEnds(t *testing.T) {
	at := poisonEpoch.Add
	p := claimedPoison(2, 9)
	assert.False(t, p.advance(Offset{Millis: 6}, at(time.Hour), time.Minute), "nothing was handed out yet")
	p.start(7, 1)
	assert.False(t, p.advance(Offset{Millis: 6}, at(time.Hour), time.Minute), "it is in flight")
	p.cameBack()
	assert.False(t, p.advance(Offset{Millis: 7}, at(time.Second), time.Minute))
	assert.Equal(t, 1, p.limit(500))
	assert.True(t, p.advance(Offset{Millis: 9}, at(time.Second), time.Minute))
	assert.Equal(t, 500, p.limit(500), "the position has passed the suspects")
	assert.Zero(t, p.want())
	assert.False(
		t,
		p.advance(Offset{Millis: 9}, at(time.Hour), time.Minute),
		"the store still says that it is in flight",
	)
	p.store()
	assert.False(t, p.advance(Offset{Millis: 9}, at(time.Minute), time.Minute))
	assert.True(t, p.advance(Offset{Millis: 9}, at(time.Minute+time.Second), time.Minute))
	assert.False(t, p.suspects())
}

// An entry that fails keeps the position where it is.
func TestSuspicionEndsAlthoughAnEntryFails(t *testing.T) {
	p := claimedPoison(2, 9)
	p.start(7, 1)
	p.cameBack()
	p.prepare(Offset{Millis: 7}, 1, false, poisonEpoch)
	p.handedOut(false, poisonEpoch.Add(50*time.Second), time.Minute)
	p.cameBack()
	p.store()
	assert.True(t, p.advance(Offset{Millis: 6}, poisonEpoch.Add(time.Minute), time.Minute))
}

func TestSuspicionLastsUntilEachKillerWasReached(t *testing.T) {
	p := claimedPoison(2, 9, 8)
	p.start(7, 1)
	p.cameBack()
	p.store()
	assert.False(t, p.advance(Offset{Millis: 6}, poisonEpoch.Add(time.Hour), time.Minute))
	p.takeDeaths(Offset{Millis: 8})
	assert.True(t, p.advance(Offset{Millis: 6}, poisonEpoch.Add(time.Hour), time.Minute))
}
