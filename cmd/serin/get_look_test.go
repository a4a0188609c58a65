package main

import (
	"testing"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

func TestAmongAllARolloutThatEndsStaysForAWhile(t *testing.T) {
	p := newPast(t)
	p.planned()
	f := natsFlags{data: "data"}
	r, err := f.dial(t.Context(), p.env)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	var slots listed
	now := ten.Add(119 * time.Minute)
	look := func(now time.Time, anew bool, before []looked) []looked {
		t.Helper()
		if err := slots.refresh(t.Context(), r, "", now, anew); err != nil {
			t.Fatal(err)
		}
		all, err := lookAtAll(t.Context(), r, slots.entries, now, before)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	live := look(now, true, nil)
	if len(live) != 1 || live[0].Silent != now {
		t.Fatalf("one rollout that no worker answers for is %+v", live)
	}
	roll := *p.last.State.Rollout
	roll.Phase, roll.Outcome = steps.Ended, steps.Promoted
	p.write(119, roll)
	if same := look(now.Add(time.Second), false, live); len(same) != 1 || !same[0].State.Live() {
		t.Errorf("the list was read again within a second: %+v", same)
	}
	ended := look(now.Add(time.Second), true, live)
	if len(ended) != 1 || ended[0].State.Live() || !ended[0].Silent.IsZero() {
		t.Errorf("told of its end, it is %+v", ended)
	}
	if later := look(now.Add(2*stayFor), false, ended); len(later) != 0 {
		t.Errorf("long after its end it is %+v", later)
	}
	if fresh := look(now.Add(time.Second), false, nil); len(fresh) != 0 {
		t.Errorf("who looks only now sees %+v", fresh)
	}
}

func TestWhatIsKnownStaysWhileNobodyAnswers(t *testing.T) {
	l := scene()
	once := l.silent(l.Slot, sceneNow)
	again := once.silent(l.Slot, sceneNow.Add(10*time.Second))
	if again.Silent != sceneNow || again.Rev != l.Rev || len(again.Readings) != len(l.Readings) {
		t.Errorf("silent since %v with %d readings", again.Silent, len(again.Readings))
	}
	if all := quiet([]looked{l}, sceneNow); all[0].Silent != sceneNow || !l.Silent.IsZero() {
		t.Errorf("%v, and before %v", all[0].Silent, l.Silent)
	}
}

func TestReadingsOfAnotherRolloutAreForgotten(t *testing.T) {
	l := scene()
	same := deployments.Entry{Rev: l.Rev + 1, State: l.State}
	if got := l.stored(same, nil, sceneNow); len(got.Readings) == 0 || got.Rev != same.Rev {
		t.Errorf("rev %d with %d readings", got.Rev, len(got.Readings))
	}
	other := *l.State.Rollout
	other.ID = "checkout-1.4.3-ff"
	if got := l.stored(deployments.Entry{Rev: l.Rev + 1, State: deployments.State{Rollout: &other}}, nil, sceneNow); len(got.Readings) != 0 {
		t.Errorf("%d readings of the rollout before", len(got.Readings))
	}
	if got := l.stored(deployments.Entry{Rev: l.Rev - 1}, nil, sceneNow); got.Rev != l.Rev || got.State.Rollout == nil {
		t.Errorf("an older entry replaces a newer state: %+v", got)
	}
}
