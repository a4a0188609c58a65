package deployments_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// published is a release as the stream gave it out.
func published(seq int) deployments.Release {
	return deployments.Release{Slot: slot, ID: fmt.Sprintf("id-%d", seq), Version: fmt.Sprintf("1.%d.0", seq),
		Order: deployments.Order{Seq: uint64(seq), At: time.Unix(int64(seq), 0)}}
}

func TestAReleaseThatComesTooLateIsToldAsSuperseded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		accept := func(seq int, want deployments.Answer) {
			t.Helper()
			if got, err := w.worker("intake").Accept(t.Context(), published(seq)); err != nil || got != want {
				t.Fatalf("release %d: %s, %v; want %s", seq, got, err, want)
			}
		}
		accept(3, deployments.Accepted)
		accept(2, deployments.Outdated)
		events := w.events()
		if e := events[len(events)-1]; e.Name != "release.superseded" || e.Data.Target != "id-2" || e.Data.Version != "1.2.0" {
			t.Errorf("told as %s of %s %s", e.Name, e.Data.Target, e.Data.Version)
		}
		if r := w.last().State.Rollout; r.Version != "1.3.0" || r.Failure != nil {
			t.Errorf("%s is %s", r.Version, r.Phase)
		}
	})
}

func TestAThousandReleasesAtOnceLeaveTheLastOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 1000
		w := newWorld(t)
		releases := make(chan deployments.Release)
		var wg sync.WaitGroup
		for i := range 16 {
			worker := w.worker(fmt.Sprint("intake-", i))
			wg.Go(func() {
				for rel := range releases {
					if _, err := worker.Accept(t.Context(), rel); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for _, i := range rand.Perm(many) {
			releases <- published(i + 1)
		}
		close(releases)
		wg.Wait()
		answered := map[string]int{}
		for _, e := range w.events() {
			switch e.Name {
			case "release.accepted", "release.queued":
				answered[e.Data.Release]++
			case "release.superseded":
				if e.Data.Target != "" && answered[e.Data.Target] == 0 {
					answered[e.Data.Target]++
				}
			}
		}
		if len(answered) != many {
			t.Errorf("%d of %d releases have an answer", len(answered), many)
		}
		w.run("one", time.Hour)
		if e := w.last(); e.State.Stable != published(many).Version || e.State.Rollout.Outcome != steps.Promoted {
			t.Errorf("stable is %s, %s is %s", e.State.Stable, e.State.Rollout.Version, e.State.Rollout.Phase)
		}
	})
}
