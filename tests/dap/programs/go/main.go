// Observed through delve, for the tests of treetap.dap.
package main

import (
	"strings"
	"time"
)

type Order struct {
	ID    int
	Name  string
	Lines []float64
}

func handle(order Order, note string, long string, count int) float64 {
	total := 0.0
	for _, line := range order.Lines {
		total += line
	}
	return total // TOTAL
}

func main() {
	long := strings.Repeat("é|\n", 1500)
	for count := 0; ; count++ {
		order := Order{7, "a \"name\"", []float64{1.5, 2}}
		handle(order, "a|b\n\"é\" {x} ...+5 more", long, count)
		time.Sleep(20 * time.Millisecond)
	}
}
