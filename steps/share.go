package steps

import (
	"strconv"
)

// Share is a part of traffic in basis points: 0 to 10000, 2500 is 25 %.
type Share int

// All is all traffic.
const All Share = 10000

// Percent makes a share of whole percent.
func Percent(p int) Share { return Share(p * 100) }

// String is the share in percent, with as many decimals as it has: "25 %", "0.5 %".
func (s Share) String() string { return strconv.FormatFloat(float64(s)/100, 'f', -1, 64) + " %" }

// Percent is the share in percent.
func (s Share) Percent() float64 { return float64(s) / 100 }
