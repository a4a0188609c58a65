package service

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestThePaceDoesNotDrift(t *testing.T) {
	for _, perSecond := range []float64{1, 7.5, 200, 3000} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute+time.Millisecond)
			defer cancel()
			n := 0
			pace(ctx, perSecond, func() { n++ })
			if want := int(perSecond * 600); n != want {
				t.Errorf("%v a second: want %d in ten minutes, got %d", perSecond, want, n)
			}
		})
	}
}

func TestAStallIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
		defer cancel()
		n := 0
		pace(ctx, 100, func() {
			if n++; n == 300 {
				<-time.After(2 * time.Second) // the machine stands still
			}
		})
		if n != 1000 {
			t.Errorf("want 1000 in ten seconds, got %d", n)
		}
	})
}

func TestASharesWorthIsThatOfTheLastAnswers(t *testing.T) {
	a := newAnswers()
	for i := range 49 {
		a.add("new")
		if got := a.share("new"); got != 0 {
			t.Fatalf("after %d answers a share of %d", i+1, got)
		}
	}
	a.add("old")
	if got := a.share("new"); got != 9800 {
		t.Errorf("want 9800, got %d", got)
	}
	for range 150 {
		a.add("old")
	}
	for range 49 {
		a.add("old")
	}
	if got := a.share("new"); got != 0 {
		t.Errorf("want 0 once 200 others came after, got %d", got)
	}
}
