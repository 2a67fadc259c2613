print("moonpeer")
