package flags_test

import (
	"fmt"
	"testing"

	"github.com/serin-cd/serin/flags"
)

func TestBandIsTheBinomialOneAndExactAtItsEnds(t *testing.T) {
	for _, c := range []struct{ n, share, low, high int }{
		{64, 0, 0, 0}, {64, 10000, 64, 64}, {1, 5000, 0, 1}, {1000, 500, 29, 74}, // the last by exact fractions
		{20000, 500, 900, 1103}, {20000, 2500, 4799, 5202}, {20000, 5000, 9767, 10233},
	} {
		if low, high := flags.Band(c.n, c.share); low != c.low || high != c.high {
			t.Errorf("Band(%d, %d) = %d, %d, want %d, %d", c.n, c.share, low, high, c.low, c.high)
		}
	}
}

func ExampleBand() {
	fmt.Println(flags.Band(1000, 500))
	// Output: 29 74
}
