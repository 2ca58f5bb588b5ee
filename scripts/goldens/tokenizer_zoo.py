ZOO = []
