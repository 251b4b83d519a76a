package splits

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// answers feeds a liveness the answers to beats, one a second.
type answers struct {
	*shareLiveness
	at time.Time
}

func newAnswers() *answers {
	return &answers{newShareLiveness(10 * time.Second), time.Unix(1000, 0)}
}

// list is the answer to a beat that lists these members.
func (a *answers) list(members []string, departed ...string) {
	a.at = a.at.Add(time.Second)
	a.observe(ShareView{Members: members, Departed: departed}, true, a.at)
}

// repeat is n answers without a change.
func (a *answers) repeat(n int) {
	for range n {
		a.at = a.at.Add(time.Second)
		a.observe(ShareView{}, false, a.at)
	}
}

func TestDepartedMemberIsDead(t *testing.T) {
	a := newAnswers()
	a.list([]string{"me", "other"})
	assert.False(t, a.dead("other"))
	a.list([]string{"me"}, "other")
	assert.True(t, a.dead("other"))
}

func TestMissingMemberIsDeadAfterASession(t *testing.T) {
	a := newAnswers()
	a.list([]string{"me", "other"})
	a.list([]string{"me"})
	a.repeat(8)
	assert.False(t, a.dead("other"))
	a.repeat(1)
	assert.True(t, a.dead("other"))
}

func TestNameThatWasNeverSeenIsDeadAfterASession(t *testing.T) {
	a := newAnswers()
	a.list([]string{"me"})
	a.repeat(9)
	assert.False(t, a.dead("stranger"))
	a.repeat(1)
	assert.True(t, a.dead("stranger"))
}

func TestSessionWithoutAnswersProvesNothing(t *testing.T) {
	a := newAnswers()
	a.list([]string{"me"})
	a.at = a.at.Add(time.Minute)
	a.repeat(5)
	assert.False(t, a.dead("stranger"))
}

func TestListedNameIsAliveWhateverIsKnownOfIt(t *testing.T) {
	a := newAnswers()
	a.list([]string{"me"}, "other")
	a.list([]string{"me", "other"}, "other")
	assert.False(t, a.dead("other"))
	assert.True(t, a.suspicious("stranger"))
}

func TestMemberThatLeftSuspectsNothingByAbsence(t *testing.T) {
	a := newAnswers()
	a.list([]string{"me", "other"})
	a.repeat(20)
	a.forget()
	assert.False(t, a.dead("other"))
	a.list([]string{"me"})
	assert.False(t, a.dead("other"))
}
