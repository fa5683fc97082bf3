module observed

go 1.19
