package simulation

import (
	"fmt"
	"slices"
)

// What the oracle finds when the nemesis has gone home.

// misowned returns what is wrong with who owns what, and the split that it is about if it is about
// one; "" if nothing is. live are the owners of leases that are left.
func (o *oracle) misowned(live map[string]*process) (what, split string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	owned := map[string]int{}
	for _, s := range o.store.Splits(topicName) {
		state, ok := o.store.Lease(groupName, s)
		switch {
		case !ok || state.Owner == "" || state.Remaining <= 0:
			return fmt.Sprintf("nobody owns %s", s.Key), s.Key
		case live[state.Owner] == nil:
			return fmt.Sprintf("%s is owned by %s, who is gone", s.Key, state.Owner), s.Key
		}
		owned[state.Owner]++
	}
	least, most := 1<<30, 0
	for owner, p := range live {
		if n := p.Owned(); n != owned[owner] {
			return fmt.Sprintf("%s holds %d splits, and owns %d", owner, n, owned[owner]), ""
		}
		least, most = min(least, owned[owner]), max(most, owned[owner])
	}
	if most-least > 1 {
		return fmt.Sprintf("one member owns %d splits, another %d", most, least), ""
	}
	return "", ""
}

// left judges what members have left behind that all went by themselves, over a good network.
func (o *oracle) left(last []*process) {
	if _, split, _ := o.backlog(); split != "" {
		o.violated(split, "a commit was taken back while the last members left")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.store.Splits(topicName) {
		if state, _ := o.store.Lease(groupName, s); state.Owner != "" {
			o.violated(s.Key, "%s has left and not released %s", state.Owner, s.Key)
		}
	}
	members := o.store.Members(topicName, groupName)
	for _, p := range last {
		if !o.plan.static && slices.Contains(members, p.member) {
			o.violated("", "%s has left and is a member still", p.member)
		}
	}
}

// backlog returns what is not acknowledged or not committed yet, and the split that it is about; ""
// if everything is. done is how many records pipelines were done with so far.
func (o *oracle) backlog() (what, split string, done int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.store.Splits(topicName) {
		p := o.part(s)
		for _, r := range p.entries {
			if !r.acked || r.owed && !r.handed {
				return fmt.Sprintf("%s of %s was never acknowledged", r.id, s.Key), s.Key, o.done
			}
		}
		state, _ := o.store.Lease(groupName, s)
		// An epoch that comes again, after a rollback and with a clock that is behind, lets late
		// requests of the same owner pass.
		demanded := !o.damaged || p.fresh && !o.clockWentBack
		if n := len(p.entries); demanded && n > 0 && state.Position.Offset.Before(p.entries[n-1].offset) {
			return fmt.Sprintf(
				"%s is committed up to %v only, of %v",
				s.Key,
				state.Position.Offset,
				p.entries[n-1].offset,
			), s.Key, o.done
		}
	}
	return "", "", o.done
}
