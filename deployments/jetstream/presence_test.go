package jetstream

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// crowdOf listens until it has heard what it waits for.
func crowdOf(t *testing.T, p Presence) <-chan Report {
	t.Helper()
	heard := make(chan Report, 1024)
	background(t, func(ctx context.Context) error { return p.Watch(ctx, func(r Report) { heard <- r }) })
	// The subscription is there once its own echo is heard.
	for {
		p.say(Report{Name: "echo"})
		select {
		case <-heard:
			return heard
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestWorkersAreHeardUntilTheyStop(t *testing.T) {
	l := newLab(t)
	heard := crowdOf(t, Presence{Conn: l.nc})
	nc, _ := connect(t, l.Server)
	want := Report{Name: "web 1.example", Version: "1.2.3", Since: noon, Partitions: []int{1, 5}, Capacity: 64, Rollouts: 7}
	stop := background(t, func(ctx context.Context) error {
		return Presence{Conn: nc, every: 10 * time.Millisecond}.Announce(ctx, func() Report { return want })
	})
	next := func() Report {
		for {
			if r := receive(t, heard); r.Name == want.Name {
				return r
			}
		}
	}
	for range 3 {
		if diff := cmp.Diff(want, next(), cmpopts.IgnoreFields(Report{}, "Heard")); diff != "" {
			t.Fatal(diff)
		}
	}
	stop()
	for !next().Gone {
	}
}

func TestWorkersThatAreThereAreGathered(t *testing.T) {
	l := newLab(t)
	for _, name := range []string{"b", "a"} {
		background(t, func(ctx context.Context) error {
			return Presence{Conn: l.nc, every: 10 * time.Millisecond}.Announce(ctx, func() Report { return Report{Name: name} })
		})
	}
	nc, _ := connect(t, l.Server)
	got, err := Presence{Conn: nc}.Gather(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	want := []Report{{Name: "a", Partitions: []int{}}, {Name: "b", Partitions: []int{}}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Report{}, "Heard")); diff != "" {
		t.Error(diff)
	}
}

func TestReportsThatAreNoneAreLeftOut(t *testing.T) {
	l := newLab(t)
	heard := crowdOf(t, Presence{Conn: l.nc})
	for subject, body := range map[string]string{
		"serin.worker.a": "no JSON",
		"serin.worker.b": `{"name":"a","capacity":64}`,
		"serin.worker.c": `{"capacity":64}`,
		"serin.worker.d": `{"name":"d","version":"` + strings.Repeat("x", maxReport) + `"}`,
	} {
		if err := l.nc.Publish(subject, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	Presence{Conn: l.nc}.say(Report{Name: "last"})
	for {
		switch r := receive(t, heard); r.Name {
		case "echo":
		case "last":
			return
		default:
			t.Errorf("heard %+v", r)
		}
	}
}

func TestWorkersThatFallSilentAreForgotten(t *testing.T) {
	var c crowd
	c.hear(says("a", 0, 1))
	c.hear(says("b", 0, 1).with(func(r *Report) { r.Heard = noon.Add(time.Second) }))
	c.hear(says("c", 0, 1).with(func(r *Report) { r.Gone = true }))
	for after, want := range map[time.Duration]int{0: 2, 2 * time.Second: 2} {
		if got := c.fresh(noon.Add(after)); len(got) != want {
			t.Errorf("after %v: %+v, want %d", after, got, want)
		}
	}
	if got := c.fresh(noon.Add(3 * time.Second)); len(got) != 1 || got[0].Name != "b" {
		t.Errorf("after 3 s: %+v, want b", got)
	}
}
