package jetstream

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// manyEnded stores summaries that ended minute after minute, r-0 first.
func manyEnded(t *testing.T, l lab, n int, reason string) []deployments.Summary {
	t.Helper()
	var all []deployments.Summary
	for i := range n {
		s := deployments.Summary{Slot: checkout, Rollout: fmt.Sprintf("r-%d", i), Phase: steps.Ended, Reason: reason,
			Ended: time.Date(2026, 11, 20, 0, i, 0, 0, time.UTC)}
		if err := (Summaries{JS: l.js}).Put(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		all = append([]deployments.Summary{s}, all...)
	}
	return all
}

func TestAllThatEndedSinceAnInstantIsRead(t *testing.T) {
	for name, tt := range map[string]struct {
		n      int
		reason string
	}{
		"in many answers":      {2*maxHistory + 1, ""},
		"in answers too large": {5, strings.Repeat("x", historyBytes/2)},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			all := manyEnded(t, l, tt.n, tt.reason)
			live(t, openJournal(t, l.js), checkout, "live")
			serve(t, l, Handlers{})
			r := Reader{JS: l.js}
			got, err := r.HistorySince(t.Context(), checkout, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "all", append([]string{"live"}, ids(all)...), ids(got))
			got, err = r.HistorySince(t.Context(), checkout, all[2].Ended)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "since the third last", append([]string{"live"}, ids(all[:3])...), ids(got))
		})
	}
}

// A worker of an earlier version tells of the last rollouts, whatever is asked.
func TestAWorkerOfAnEarlierVersionIsFoundOut(t *testing.T) {
	l := newLab(t)
	for _, n := range []int{maxHistory - 1, maxHistory} {
		var told []deployments.Summary
		for i := range n {
			told = append(told, deployments.Summary{Rollout: strconv.Itoa(i), Ended: time.Date(2026, 11, 20, 0, -i, 0, 0, time.UTC)})
		}
		sub, err := l.nc.Subscribe("serin.read.*.*.history", func(msg *nats.Msg) {
			state, err := json.Marshal(told)
			reply, _ := json.Marshal(Reply{OK: err == nil, State: state})
			_ = msg.Respond(reply)
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := Reader{JS: l.js}.HistorySince(t.Context(), checkout, time.Time{})
		if (err != nil) != (n == maxHistory) || err == nil && len(got) != n {
			t.Errorf("of %d told %d, %v", n, len(got), err)
		}
		got, err = Reader{JS: l.js}.HistorySince(t.Context(), checkout, told[3].Ended)
		if err != nil || len(got) != 4 {
			t.Errorf("since the fourth: %d, %v", len(got), err)
		}
		if err := sub.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
	}
}
