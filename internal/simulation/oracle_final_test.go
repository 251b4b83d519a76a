package simulation

import (
	"fmt"
	"slices"
)

// Checks after the last fault.

// misowned returns what is wrong with the ownership of splits, and the split concerned if it is a
// single one; "" if nothing is wrong. live holds the processes that should own leases.
func (o *oracle) misowned(live map[string]*process) (what, split string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	owned := map[string]int{}
	for _, s := range o.store.Splits(topicName) {
		state, ok := o.store.Lease(groupName, s)
		switch {
		case !ok || state.Owner == "" || state.Remaining <= 0:
			return fmt.Sprintf("%s has no owner", s.Key), s.Key
		case live[state.Owner] == nil:
			return fmt.Sprintf("%s is owned by %s, which has ended", s.Key, state.Owner), s.Key
		}
		owned[state.Owner]++
	}
	least, most := 1<<30, 0
	for owner, p := range live {
		if n := p.Owned(); n != owned[owner] {
			return fmt.Sprintf("%s believes to own %d splits, but owns %d", owner, n, owned[owner]), ""
		}
		least, most = min(least, owned[owner]), max(most, owned[owner])
	}
	if most-least > 1 {
		return fmt.Sprintf("one member owns %d splits, another %d", most, least), ""
	}
	return "", ""
}

// checkClean checks that members that left gracefully, over a good network, left nothing behind.
func (o *oracle) checkClean(last []*process) {
	if _, split, _ := o.backlog(); split != "" {
		o.violated(split, "a commit was taken back while the last members left")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.store.Splits(topicName) {
		if state, _ := o.store.Lease(groupName, s); state.Owner != "" {
			o.violated(s.Key, "%s has left without releasing %s", state.Owner, s.Key)
		}
	}
	members := o.store.Members(topicName, groupName)
	for _, p := range last {
		if !o.plan.static && slices.Contains(members, p.member) {
			o.violated("", "%s has left but is still a member", p.member)
		}
	}
}

// backlog returns what is not acknowledged or not committed yet, and the split concerned; "" if
// everything is. done is how many records pipelines have processed so far. Without letters, records
// that kill wait, and so does what is to be processed after them, until they are cured.
func (o *oracle) backlog() (what, split string, done int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.store.Splits(topicName) {
		m := o.model(s)
		if what = o.undead(m); what != "" {
			return what, s.Key, o.done
		}
		waits, behindKiller := o.behindKillers(), false
		for _, r := range m.entries {
			if waits(r) {
				behindKiller = true
			} else if !r.acked || r.mustRead && !r.handed {
				return fmt.Sprintf("%s of %s was never acknowledged", r.id, s.Key), s.Key, o.done
			}
		}
		if behindKiller {
			continue
		}
		state, _ := o.store.Lease(groupName, s)
		if left := o.leftover(m, state.Position.Offset); left != "" {
			return left, s.Key, o.done
		}
		// An owner that a rollback leaves its lease does not learn that the adoption is back. The next
		// claim ends it.
		if state.Adopting != "" && !o.damaged {
			return s.Key + " is still being adopted", s.Key, o.done
		}
		// After a rollback on a server whose clock is behind, an epoch can be granted a second
		// time. Late requests of the same owner then pass.
		mustBeCommitted := !o.damaged || m.newestReadable && !o.clockWentBack
		if n := len(m.entries); mustBeCommitted && n > 0 && state.Position.Offset.Before(m.entries[n-1].offset) {
			return fmt.Sprintf(
				"%s is committed only up to %v of %v",
				s.Key,
				state.Position.Offset,
				m.entries[n-1].offset,
			), s.Key, o.done
		}
	}
	return "", "", o.done
}
